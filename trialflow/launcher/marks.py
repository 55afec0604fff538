"""What an attempt writes down in a pod: one stream of what the model printed, as it is, and between it marked lines for whoever reads the log.

A mark is `\\x1etrialflow `, a JSON object, and a line end. It may stand in the middle of a line: whoever takes marks out has what the model printed,
to the byte. A cluster may have thrown away the beginning of a long log, so a recap of all reports stands at the end of one.
"""

import json
import os
from _thread import allocate_lock

MARK = b"\x1etrialflow "
LONG = 256 << 10
"""From so many bytes on a log may have lost its beginning before it was read."""
LAST_WORDS = 4096
MESSAGE_BYTES = 4000
"""A termination message may have 4096 bytes."""
MOST_CHECKPOINTS = 250
"""As many as a recap holds; the service takes 200 of a training run."""


class Marks:
    """The records of one attempt as a stream; it is its own journal."""

    def __init__(self, stream):
        self.stream = stream
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
            elif len(self.checkpoints) < MOST_CHECKPOINTS:
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
                self._mark({"kind": "recap", "number": self.number, "merge": self.merge, "checkpoints": self.checkpoints})
            self._mark({"kind": "end", "number": self.number, "facts": facts})

    def _mark(self, content):
        self._write(MARK + json.dumps(content).encode() + b"\n")

    def _write(self, data):
        self.written += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self.stream, view) :]


def folded(first, second):
    """The one MERGE body that does what `first` and then `second` do."""
    result = dict(first)
    for key, value in second.items():
        before = result.get(key)
        both = isinstance(before, dict) and isinstance(value, dict)
        result[key] = folded(before, value) if both else value
    return result


def short(facts, values, number):
    """The termination message: facts, the number of reports, and the values if there is room for them."""
    whole = {"facts": facts, "number": number, "values": values}
    text = json.dumps({"trialflow": whole})
    if len(text.encode()) > MESSAGE_BYTES:
        del whole["values"]
        text = json.dumps({"trialflow": whole})
    if len(text.encode()) > MESSAGE_BYTES:
        whole["facts"] = dict(facts, problem=str(facts.get("problem"))[:1000])
        text = json.dumps({"trialflow": whole})
    return text
