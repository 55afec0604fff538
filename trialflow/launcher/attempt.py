"""One attempt of one training run: starts the model, copies its output, serves its relay, records its end.

What a training run may not need (HTTP, regular expressions, threads) is imported only when it is needed: this process is started for every one.
"""

import _socket  # what `socket` is built on, without the enumerations that take longer to make than the model to start
import os
import select
import signal
import time

from .ending import describe, may_be_a_shutdown, oom_kills
from .model import Model, variables

CHUNK = 1 << 16
DRAIN_SECONDS = 0.5
GRACE_SECONDS = 10.0
SHUTDOWN_SECONDS = 0.3
MOST_WARNINGS = 50


class AttemptRunner:
    """Runs one attempt from the start of the model until its end has been recorded.

    `records` is where everything goes: `journal` takes what the model logs, `log(chunk)` what it prints, `finish(facts)` how it ended.
    `last_words()` returns the end of what was printed; `tick()` and `patience()` deal with writes that had to be put off.
    """

    def __init__(self, folder, plan, records):
        self.folder = folder
        self.plan = plan
        self.records = records
        self.journal = records.journal
        self.facts = {"started": time.time()}
        self.deadline = None
        self.kill_at = None
        self.patterns = None
        self.is_asked_to_stop = False
        self.warned = set()
        self.wakeup, wakeup_writer = os.pipe()
        for descriptor in (self.wakeup, wakeup_writer):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wakeup_writer)
        signal.signal(signal.SIGTERM, self.take_note)
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def take_note(self, *_):
        """Somebody asks for the end. What follows from it is done where the model is watched."""
        self.is_asked_to_stop = True

    def make(self, ready):
        """Execute the model and write the outcome. `ready` is told when the model runs. Returns the facts of its end."""
        listener = _socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        token = os.urandom(16).hex()
        environment = variables(self.plan, self.folder, listener.getsockname()[1], token)
        upstream = {name: os.environ.pop("TRIALFLOW_UPSTREAM_" + name.upper(), None) for name in ("url", "token", "socket")}
        kills_before = oom_kills()
        self.model = Model(self.plan["command"], self.plan["directory"], environment)
        problem = self.model.start(self.folder)
        self.tell(ready)
        if problem:
            return self.finish({"problem": problem})
        if self.plan["timeout"]:
            self.deadline = time.monotonic() + self.plan["timeout"]
        if self.plan["patterns"]:
            from .patterns import Patterns

            self.patterns = Patterns(self.plan["patterns"], self.journal, self.records.log)
        status = self.watch(listener, token, upstream)
        self.drain()
        self.model.end_leftovers()
        if self.patterns:
            self.patterns.close()
            if self.patterns.complaint:
                self.facts["complaint"] = self.patterns.complaint
        ended = describe(status, lambda: oom_kills() > kills_before, self.records.last_words)
        if self.kill_at is not None:
            ended["out_of_memory"] = False  # the kill was ours
        elif may_be_a_shutdown(ended) and not ended["out_of_memory"] and self.is_asked_soon():
            ended["stopped"] = True
        return self.finish(ended)

    @staticmethod
    def tell(ready):
        """Tell whoever launched that the model runs. If they are gone meanwhile, others will adopt it."""
        if ready is not None:
            try:
                os.write(ready, b"1")
            except OSError:
                pass
            os.close(ready)

    def watch(self, listener, token, upstream):
        """Copy output and serve the relay until the model has ended. Returns its wait status."""
        sources = [self.model.output, self.wakeup, listener]
        while True:
            readable = select.select(sources, [], [], self.patience())[0]
            if listener in readable:
                from .relay import serve

                sources.remove(listener)
                serve(listener.detach(), token, self.plan["training_run"], self.journal, upstream, self.warn)
            if self.model.output in readable and not self.copy():
                sources.remove(self.model.output)
            if self.wakeup in readable:
                self.wake()
            status = self.model.poll()
            if status is not None:
                return status
            now = time.monotonic()
            if self.kill_at is None and self.is_asked_to_stop:
                self.end_model("stopped")
            elif self.kill_at is None and self.deadline is not None and now >= self.deadline:
                self.end_model("timed_out")
            elif self.kill_at is not None and now >= self.kill_at:
                self.model.signal(signal.SIGKILL)
                self.kill_at = now + 1
            self.records.tick()

    def warn(self, sentence):
        """Write a sentence of the launcher's own into the log, once."""
        if sentence not in self.warned and len(self.warned) < MOST_WARNINGS:
            self.warned.add(sentence)
            self.records.log(("\ntrialflow: %s\n" % sentence).encode("utf-8", "replace"))

    def wake(self):
        """Take the signals' bytes."""
        try:
            os.read(self.wakeup, CHUNK)
        except BlockingIOError:
            pass

    def patience(self):
        """Seconds until something is due though nothing happens; None if nothing is."""
        due = self.deadline if self.kill_at is None else self.kill_at
        waits = [self.records.patience(), None if due is None else max(0.0, due - time.monotonic())]
        return min((wait for wait in waits if wait is not None), default=None)

    def end_model(self, why):
        """Ask the model to end; it is killed if it has not after the grace."""
        self.facts[why] = True
        self.model.signal(signal.SIGTERM)
        self.kill_at = time.monotonic() + self.grace()

    def grace(self):
        """Seconds between asking and killing: what the file `stop` says, for whoever asks to be obeyed sooner."""
        try:
            with open(os.path.join(self.folder, "stop")) as file:
                return float(file.read())
        except (OSError, ValueError):
            return GRACE_SECONDS

    def copy(self):
        """Copy what the model printed. Returns whether there may be more."""
        try:
            chunk = os.read(self.model.output, CHUNK)
        except BlockingIOError:
            return True
        if not chunk:
            return False
        self.records.log(chunk)
        if self.patterns:
            self.patterns.feed(chunk)
        return True

    def drain(self):
        """Take what is still in the pipe; something left behind by the model may hold it open, and is not waited for."""
        os.set_blocking(self.model.output, False)
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until:
            wait = 0 if self.model.is_alone() else max(0.0, until - time.monotonic())
            if not select.select([self.model.output], [], [], wait)[0] or not self.copy():
                return

    def is_asked_soon(self):
        """Whether this process is, or within a moment will be, asked to stop: a machine that shuts down signals one process after another."""
        until = time.monotonic() + SHUTDOWN_SECONDS
        while not self.is_asked_to_stop and time.monotonic() < until:
            select.select([self.wakeup], [], [], max(0.0, until - time.monotonic()))
            self.wake()
        return self.is_asked_to_stop

    def finish(self, ended):
        """Write down how it ended. Returns the facts."""
        facts = dict(self.facts, ended=time.time(), **ended)
        self.records.finish(facts)
        return facts
