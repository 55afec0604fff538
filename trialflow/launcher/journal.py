"""What the model logged, written down line by line."""

import errno
import json
import os
import time
from _thread import allocate_lock


class Journal:
    """A file of reports, one JSON object a line: `{"number", "kind", "body"}`. A line is whole or it is not there."""

    file_bytes = 8 << 20
    """Limit of one file that a model logs."""
    files_bytes = 64 << 20
    """Limit of all of them together."""

    def __init__(self, path, bell):
        self.path = path
        self.bell = bell
        self.lock = allocate_lock()
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.number = 0
        self.waiting = []

    def add(self, kind, body):
        """Write one report. Raises OSError if it could not be written: then it is as if it had not been."""
        with self.lock:
            self._write_waiting()
            self._write(kind, body)
        self.bell.ring()

    def add_later(self, kind, body):
        """Write one report now, or as soon as there is room for it."""
        with self.lock:
            self.waiting.append((kind, body))
        self.retry()

    def is_behind(self):
        """Whether reports wait for room."""
        return bool(self.waiting)

    def retry(self):
        """Write the reports that wait."""
        if not self.waiting:
            return
        with self.lock:
            try:
                self._write_waiting()
            except OSError:
                return
        self.bell.ring()

    def flush(self, seconds):
        """Wait up to `seconds` for room for what waits."""
        until = time.monotonic() + seconds
        self.retry()
        while self.waiting and time.monotonic() < until:
            time.sleep(0.2)
            self.retry()

    def _write_waiting(self):
        while self.waiting:
            self._write(*self.waiting[0])
            del self.waiting[0]

    def _write(self, kind, body):
        line = (json.dumps({"number": self.number + 1, "kind": kind, "body": body}) + "\n").encode()
        size = os.fstat(self.file).st_size
        try:
            written = os.write(self.file, line)
            if written < len(line):
                raise OSError(errno.ENOSPC, "no space left on device")
        except OSError:
            os.ftruncate(self.file, size)
            raise
        self.number += 1
