"""The launcher's own process: `python launch.py FOLDER [READY_FD]`. See `docs/local.md` for the files of a folder.

It takes the folder's lock for life and makes the attempt. Small, because Python compiles it anew
for each training run, unlike the files that it imports.
"""

import fcntl
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from launcher.attempt import AttemptRunner  # noqa: E402
from launcher.files import FileRecords  # noqa: E402

PAUSE_SECONDS = 0.002


def boot_id():
    """What tells one start of this machine from another; empty where nothing does."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def take(lock):
    """Lock the file for the life of this process. Returns False if another launcher has it.

    Whoever asks whether a launcher lives holds a shared lock for a moment. That must not keep one from starting: it is waited out.
    """
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            pass
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        fcntl.flock(lock, fcntl.LOCK_UN)
        time.sleep(PAUSE_SECONDS * (1 + os.getpid() % 8))


def main(folder, ready):
    """Be the launcher of `folder` unless there is or was one. `ready` is a pipe that is told when the model runs."""
    if ready is not None:
        os.set_inheritable(ready, False)
    lock = os.open(os.path.join(folder, "lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    bell = os.path.join(folder, "bell")
    for make, path, mode in ((os.mkfifo, bell, 0o600), (os.mkdir, os.path.join(folder, "ears"), 0o700)):
        try:
            make(path, mode)
        except FileExistsError:
            pass
    # Open before the lock is taken: whoever sees the lock held may rely on hearing the bell's end.
    held_open = os.open(bell, os.O_RDWR | os.O_NONBLOCK)
    mark = os.path.join(folder, "launcher.json")
    if not take(lock) or os.path.exists(mark):
        return
    with open(os.path.join(folder, "launch.json")) as file:
        plan = json.load(file)
    with open(mark + ".new", "w") as file:
        json.dump({"pid": os.getpid(), "boot_id": boot_id(), "started": time.time()}, file)
    os.rename(mark + ".new", mark)
    attempt = AttemptRunner(folder, plan, FileRecords(folder))
    os.close(held_open)
    attempt.make(ready)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
