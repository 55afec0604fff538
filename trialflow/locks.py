"""Locks on files, which the kernel gives back however their holder ends: no crash, reused process id or reboot can make the answer wrong."""

import fcntl
import os
import time
from pathlib import Path
from typing import IO

PROBE_SECONDS = 0.5
"""A question by `is_held` takes the lock for an instant; whoever wants to hold it tries again for this long."""


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of this file exclusively. A file that does not exist is held by nobody."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def hold(file: IO[str] | IO[bytes]) -> bool:
    """Take the lock of an open file exclusively, until it is closed. False if another process holds it."""
    deadline = time.monotonic() + PROBE_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
