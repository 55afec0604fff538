"""What the model logged, written down line by line, and the bell that tells who follows it."""

import errno
import json
import os
import threading
import time

QUIET_SECONDS = 0.05
"""The bell rings at most this often for what is printed; journal lines ring at once."""


class Bell:
    """A named pipe that is rung with a byte. Rings that nobody hears are lost, and that is all right: who comes later reads the files."""

    def __init__(self, path):
        # Read and write: ringing never blocks or fails for want of a listener, and its end of the pipe closes with this process.
        self.pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.rung = 0.0
        self.due = False

    def ring(self):
        """Ring now."""
        self.due = False
        self.rung = time.monotonic()
        try:
            os.write(self.pipe, b"!")
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise

    def soon(self):
        """Ring now, or a little later if it was just rung."""
        if time.monotonic() - self.rung >= QUIET_SECONDS:
            self.ring()
        else:
            self.due = True

    def is_due(self):
        """Whether a ring was put off."""
        return self.due

    def tick(self):
        """Ring if one was put off long enough."""
        if self.due:
            self.soon()


class Journal:
    """A file of reports, one JSON object a line: `{"number", "kind", "body"}`. A line is whole or it is not there."""

    def __init__(self, path, bell):
        self.path = path
        self.bell = bell
        self.lock = threading.Lock()
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.number = 0
        self.waiting = []

    def add(self, kind, body):
        """Write one report. Raises OSError if it could not be written: then it is as if it had not been."""
        with self.lock:
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
                while self.waiting:
                    self._write(*self.waiting[0])
                    del self.waiting[0]
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
