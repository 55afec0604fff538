"""The bell that tells who follows an attempt that there is news, and that the launcher is gone."""

import os
import time
from _thread import allocate_lock  # `threading` is dear to import, and a training run that only prints has one thread

QUIET_SECONDS = 0.05
"""The bell rings at most this often for what is printed; journal lines ring at once."""


class Bell:
    """Two things in the attempt's folder: the named pipe `bell` and the folder `ears`.

    `bell` is never written to: this process holds it open, so that whoever opened it for reading sees its end when this process has ended.
    Each follower puts a named pipe of its own, opened already, into `ears`, and gets a byte in it for each ring; two followers of one pipe
    would take the bytes from each other. Rings that nobody hears are lost, and that is all right: who comes later reads the files.
    """

    def __init__(self, folder):
        self.folder = os.path.join(folder, "ears")
        # For reading and writing: opening it never waits for somebody at the other end.
        self.end = os.open(os.path.join(folder, "bell"), os.O_RDWR | os.O_NONBLOCK)
        self.ears = {}
        self.rung = 0.0
        self.due = False
        self.lock = allocate_lock()

    def ring(self):
        """Ring now."""
        with self.lock:
            self.due = False
            self.rung = time.monotonic()
            self._find_ears()
            for name in list(self.ears):
                try:
                    os.write(self.ears[name], b"!")
                except BlockingIOError:
                    pass  # as many rings wait as the pipe holds: this one says nothing new
                except OSError:
                    os.close(self.ears.pop(name))
                    self._forget(name)

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

    def _find_ears(self):
        try:
            names = os.listdir(self.folder)
        except OSError:
            return
        for name in names:
            if name not in self.ears:
                try:
                    self.ears[name] = os.open(os.path.join(self.folder, name), os.O_WRONLY | os.O_NONBLOCK)
                except OSError:  # nobody has it open: its follower was killed
                    self._forget(name)

    def _forget(self, name):
        try:
            os.unlink(os.path.join(self.folder, name))
        except OSError:
            pass
