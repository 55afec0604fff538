"""Standard streams that never decide what becomes of a training run: closed ones lead nowhere, and a reader who has gone is no error."""

import errno
import io
import os
import sys
from typing import Any

GONE = (errno.EPIPE, errno.EIO)
"""What a write reports when the reader of a pipe, or the terminal, has gone."""


class Outlet(io.FileIO):
    """A file descriptor that leads to /dev/null once its reader has gone.

    A full disk is an error for results, which somebody asked for, and not for messages.
    """

    def write(self, data: Any, /) -> int:
        """Write, or drop what nobody reads any more."""
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in GONE and self.fileno() == 1:
                raise
        # The descriptor itself, so that whatever else has it does not meet the same end.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        return len(data)


def secure_streams() -> None:
    """Make stdout and stderr safe to write to. Call it before anything is opened: files would get the numbers of closed streams."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - it lives as long as the process
    sys.stdout, sys.stderr = _stream(1), _stream(2)


def end_streams() -> OSError | None:
    """Write what is still held back. Returns the error if results could not be written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter tries once more
        return error
    return None


def _stream(number: int) -> io.TextIOWrapper:
    outlet = Outlet(number, "wb", closefd=False)
    buffer = io.BufferedWriter(outlet)
    # What an encoding lacks is shown as an escape: a name in another script must not end a command.
    is_at_once = number == 2 or outlet.isatty()
    return io.TextIOWrapper(buffer, encoding=_encoding(number), errors="backslashreplace", line_buffering=is_at_once)


def _encoding(number: int) -> str:
    stream = sys.__stdout__ if number == 1 else sys.__stderr__
    return stream.encoding if stream is not None else "utf-8"
