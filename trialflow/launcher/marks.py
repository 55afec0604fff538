"""The records of an attempt in a pod: one stream of what the model printed, as it is, and between it marked lines for whoever reads the log.

A mark is `\x1etrialflow `, a JSON object, and a line end. It may stand in the middle of a line: whoever takes marks out has what the model printed,
to the byte. Each carries the nonce of its attempt, which the model does not know: anything else that looks like a mark is the model's own text. A
cluster may have thrown away the beginning of a long log, so a recap of all reports stands at the end of one.
"""

import json
import os
from _thread import allocate_lock

from .ending import facts_of
from .reports import folded, is_number, parsed

MARK = b"\x1etrialflow "
MARK_BYTES = 1 << 20
"""Limit of a mark; what is longer is text."""
LONG = 256 << 10
"""From so many bytes on a log may have lost its beginning before it was read."""
LAST_WORDS = 4096
MESSAGE_BYTES = 4000
"""A termination message may have 4096 bytes."""


def nonce_prefix(name, attempt):
    """What the nonce of every launcher of an attempt begins with: the training run's name and the attempt's number."""
    return "%s/%s/" % (name, attempt)


class LogRecords:
    """The records of one attempt as a stream; it is its own journal. `prefix` is `nonce_prefix` of the attempt."""

    file_bytes = 512 << 10
    """Limit of one file that a model logs: it has to fit into a mark."""
    files_bytes = 4 << 20
    """Limit of all of them together: a cluster keeps about 10 MiB of a log."""

    def __init__(self, stream, prefix):
        self.stream = stream
        self.nonce = prefix + os.urandom(8).hex()
        self.lock = allocate_lock()
        self.number = 0
        self.written = 0
        self.checkpoints = []
        self.merge = {}
        self.tail = b""

    @property
    def journal(self):
        """What the model logs is written here."""
        return self

    def begin(self, python):
        """Say that a launcher is at work, and under which Python."""
        self._mark({"kind": "begin", "python": python})

    def log(self, chunk):
        """Pass on what the model printed."""
        with self.lock:
            self.tail = (self.tail + chunk)[-LAST_WORDS:]
            self._write(chunk)

    def last_words(self):
        """The end of what was printed, as bytes."""
        return self.tail

    def add(self, kind, body):
        """Write one report."""
        with self.lock:
            self.number += 1
            if kind == "merge":
                self.merge = folded(self.merge, body)
            elif kind == "checkpoint":
                self.checkpoints.append(body)
            self._mark({"number": self.number, "kind": kind, "body": body})

    add_later = add

    def tick(self):
        """Nothing is ever put off."""

    def patience(self):
        """Nothing is ever put off."""
        return None

    def values(self):
        """Metric name -> value, as the model logged them last."""
        values = self.merge.get("values") or {}
        return {name: value["value"] for name, value in values.items() if isinstance(value, dict) and "value" in value}

    def finish(self, facts):
        """Write the recap if the log is long, and how it ended."""
        with self.lock:
            if self.number and self.written > LONG:
                self._mark(self._recap())
            self._mark({"kind": "end", "number": self.number, "facts": facts})

    def _recap(self):
        """All reports but files, or as much of them as a mark holds: metrics first."""
        recap = {"kind": "recap", "number": self.number, "merge": {}, "checkpoints": []}
        for name in sorted(self.merge, key=lambda name: name not in ("values", "state", "assignments")):
            fuller = dict(recap, merge=dict(recap["merge"], **{name: self.merge[name]}))
            recap = fuller if len(json.dumps(fuller)) < MARK_BYTES // 2 else recap
        fuller = dict(recap, checkpoints=self.checkpoints)
        return fuller if len(json.dumps(fuller)) < MARK_BYTES - 1024 else recap

    def _mark(self, content):
        self._write(MARK + json.dumps(dict(content, nonce=self.nonce)).encode() + b"\n")

    def _write(self, data):
        self.written += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self.stream, view) :]


def short(facts, records):
    """The termination message: facts, the number of reports, and the values if there is room for them."""
    whole = {"nonce": records.nonce, "facts": facts, "number": records.number, "values": records.values()}
    text = json.dumps({"trialflow": whole})
    if len(text.encode()) > MESSAGE_BYTES:
        del whole["values"]
        text = json.dumps({"trialflow": whole})
    if len(text.encode()) > MESSAGE_BYTES:
        whole["facts"] = {name: value[:500] if isinstance(value, str) else value for name, value in facts.items()}
        text = json.dumps({"trialflow": whole})
    return text


def read_short(text, prefix, is_old=False):
    """The facts and the values in a termination message; None if it is not from a launcher of the attempt with `prefix`.

    `is_old`: the launcher is of an earlier version, which wrote no nonce.
    """
    if not text.startswith('{"trialflow"'):
        return None
    try:
        whole = parsed(text).get("trialflow")
    except ValueError:
        return None
    if not isinstance(whole, dict) or not str(whole.get("nonce", prefix if is_old else "")).startswith(prefix):
        return None
    facts = facts_of(whole.get("facts"))
    values = whole.get("values")
    numbers = {name: value for name, value in values.items() if is_number(value)} if isinstance(values, dict) else {}
    return None if facts is None else (facts, numbers)
