"""Threads that wait must not spin.

PyTorch's CPU threads wait for each other many times in every training step. By default they wait
in a busy loop, which takes the core from the very thread that is waited for when anything else
runs on the machine: two threads were measured up to ten times slower than one. Waiting passively
costs almost nothing on a quiet machine. The setting is read once, when PyTorch is loaded, so the
package sets it before that; a value that is already there is left alone.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
