"""An event loop in a thread, for what a test has serve beside itself."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

Found = TypeVar("Found")


class BackgroundLoop:
    """Runs coroutines while it is `running`."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    @contextmanager
    def running(self) -> Iterator["BackgroundLoop"]:
        thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            thread.join(30)

    def do(self, work: Coroutine[None, None, Found]) -> Found:
        """Wait until it is done, from another thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)
