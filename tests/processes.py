"""What runs on this machine, asked in a way that survives processes which end while they are looked at."""

import os
from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether the process exists and has not ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def line_of(pid: int) -> str:
    """The command line of a process; nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def processes_in(folder: Path, word: str) -> list[int]:
    """Processes with that working directory whose command line contains `word`."""

    def matches(pid: int) -> bool:
        try:
            return os.readlink(f"/proc/{pid}/cwd") == str(folder) and word in line_of(pid)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return False

    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and matches(int(entry))]
