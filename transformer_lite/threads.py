"""How PyTorch's threads wait for each other: a choice for machines that do other things too.

CPU threads wait for each other many times in every training step. By default they spin for a while,
which can take the core from the very thread that is waited for. Measured on two cores with a small
Transformer and two threads, alternating: waiting passively was 1.3 to 1.9 times faster beside one
other busy process, and 1.2 to 1.3 times slower on a quiet machine. Readers have a browser open, so
passive is the default here; set OMP_WAIT_POLICY=active before Python starts for the other. The
setting is read once, when PyTorch is loaded, so the package sets it before that.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
