"""A question on the terminal that is answered while the event loop goes on."""

import asyncio
import os
import sys
from collections.abc import Callable

from trialflow.cli.terminal.messages import say

_open: set[int] = set()


def ask_on_terminal(text: str, loop: asyncio.AbstractEventLoop, answered: Callable[[str], None]) -> bool:
    """Ask, and call `answered` with the line that is typed, in lower case. False, and nothing is asked, if a question is open already."""
    descriptor = sys.stdin.fileno()
    if descriptor in _open:
        return False
    _open.add(descriptor)
    say(text)

    def read() -> None:
        loop.remove_reader(descriptor)
        _open.discard(descriptor)
        answered(os.read(descriptor, 1024).decode(errors="replace").strip().lower())

    loop.add_reader(descriptor, read)
    return True
