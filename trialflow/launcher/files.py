"""The records of an attempt on a machine that its follower shares: files in its folder, and a bell that rings when there is more in them."""

import errno
import json
import os
import time

from .bell import QUIET_SECONDS, Bell
from .ending import end_of
from .journal import Journal

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
DISK_FULL_SECONDS = 60


class FileRecords:
    """The records of one attempt as files: `log`, `journal.jsonl` and, at the end, `outcome.json`."""

    def __init__(self, folder):
        self.folder = folder
        self.bell = Bell(folder)
        self.journal = Journal(os.path.join(folder, "journal.jsonl"), self.bell)
        self.descriptor = os.open(os.path.join(folder, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.problem = None

    def log(self, chunk):
        """Append to the log; a full disk costs the log, not the model."""
        try:
            written = os.write(self.descriptor, chunk)
            if written < len(chunk):
                os.write(self.descriptor, chunk[written:])
        except OSError as error:
            self.problem = "the log is incomplete: " + (error.strerror or str(error))
        self.bell.soon()

    def last_words(self):
        """The end of what was printed, as bytes."""
        return end_of(os.path.join(self.folder, "log"))

    def tick(self):
        """Do what was put off."""
        self.bell.tick()
        self.journal.retry()

    def patience(self):
        """Seconds after which `tick` has something to do; None if nothing was put off."""
        if self.bell.is_due():
            return QUIET_SECONDS
        return 1.0 if self.journal.is_behind() else None

    def finish(self, facts):
        """Write the outcome, whole or not at all, and ring."""
        self.journal.flush(10.0)
        if self.problem:
            facts = dict(facts, log_problem=self.problem)
        path = os.path.join(self.folder, "outcome.json")
        for attempts_left in reversed(range(DISK_FULL_SECONDS)):
            try:
                with open(path + ".new", "w") as file:
                    json.dump(facts, file)
                os.rename(path + ".new", path)
                break
            except OSError as error:
                if error.errno not in DISK_FULL or not attempts_left:
                    raise
                time.sleep(1.0)
        self.bell.ring()
