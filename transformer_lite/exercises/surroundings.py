"""What surrounds a check in a notebook: it neither disturbs the check nor is disturbed by it."""

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Work with the settings that Python and torch begin with, and leave all as it was before.

    Not covered is what takes long to read, such as the contents of modules and files.
    """
    device, folder = torch.get_default_device(), _folder()
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    threads, deterministic = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()
    torch.set_default_device("cpu")
    torch.set_default_dtype(torch.float32)
    try:
        with torch.autocast("cpu", enabled=False):
            yield
    finally:
        torch.set_default_device(None)
        if torch.get_default_device() != device:  # it is still there where a `with` chose it
            torch.set_default_device(device)
        os.chdir(folder)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradients)
        if torch.get_num_threads() != threads:  # to set it costs time
            torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(deterministic)
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])


def _folder() -> Path:
    """The working folder; "." where it was deleted, which is all that can be said about it."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path()
