"""One thread for all reads and writes: what arrives together is committed together.

Writers never wait for locks of each other, and a hundred small writes cost one commit. A job is a function of a connection that does nothing but talk
to the database; it raises before it writes, or not at all. If one of a batch raises, the batch is rolled back and its jobs are done one by one.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection

from trialflow.service.store.database import Database
from trialflow.service.store.failures import explained

T = TypeVar("T")
Job = tuple[Callable[[Connection], Any], Future]
LARGEST_BATCH = 64


class StoreThread:
    """Does jobs on `database`, in order."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    async def do(self, job: Callable[[Connection], T]) -> T:
        """Do a job and return what it returns, once it is committed. Raises what it raises, and `Busy` when the database is busy, full or away."""
        return await asyncio.wrap_future(self.submit(job))

    def submit(self, job: Callable[[Connection], T]) -> "Future[T]":
        """The same for callers that are no coroutines."""
        future: Future[T] = Future()
        self._jobs.put((job, future))
        return future

    def close(self) -> None:
        """Finish what was submitted and end."""
        self._jobs.put(None)
        self._thread.join()
        self.database.close()

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            batch = [first]
            is_last = False
            while len(batch) < LARGEST_BATCH and not self._jobs.empty():
                if (job := self._jobs.get()) is None:
                    is_last = True
                    break
                batch.append(job)
            self._do(batch)
            if is_last:
                return

    def _do(self, batch: list[Job]) -> None:
        batch = [job for job in batch if job[1].set_running_or_notify_cancel()]
        try:
            with self.database.transaction() as connection:
                results = [function(connection) for function, _ in batch]
        except Exception as error:
            if len(batch) > 1:
                for function, future in batch:
                    self._do_alone(function, future)
            elif batch:
                batch[0][1].set_exception(explained(error))
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)

    def _do_alone(self, function: Callable[[Connection], Any], future: Future) -> None:
        try:
            with self.database.transaction() as connection:
                result = function(connection)
        except Exception as error:
            future.set_exception(explained(error))
        else:
            future.set_result(result)
