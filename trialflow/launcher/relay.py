"""The HTTP server that the model takes for the SigOpt API: on loopback, for one training run, answering at once.

What the model logs about its own training run goes to the journal. What else it asks is passed on to the real service, if there is one. Nothing that
a model logs raises an error in it: what cannot be kept is dropped with a warning in the log.
"""

import base64
import hashlib
import hmac
import json
import os
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler

from .reports import MOST_CHECKPOINTS, checked, merged, parsed, replacing
from .upstream import Upstream, basic, segments_of

LARGEST = 32 << 20
"""Bytes of a body that is read into memory."""
CHUNK = 1 << 16
FILE_FIELDS = ("name", "filename", "content_type", "content_length", "content_md5")
MOST_UPLOADS = 1000
"""Files that may be announced and not uploaded yet."""
BUSY = 429
"""The one answer that the client tries again after, for up to 150 seconds."""
NEEDS_THE_SERVICE = (
    "%s %s needs the service, and pods of this cluster do not reach one: a model there can log to its own training run only"
    " (on one connected with `api_url` it can read its experiment, too)"
)


class RelayServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Serves on a socket that listens already. `warn` takes a sentence for the log."""

    daemon_threads = True

    def __init__(self, listener, token, run, journal, upstream, warn):
        socketserver.TCPServer.__init__(self, ("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=listener)
        self.address = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        self.authorization = basic(token)
        self.run_id = str(run["id"])
        self.mirror = dict(run, state=run.get("state") or "active")
        self.journal = journal
        self.warn = warn
        self.guard = threading.Lock()
        self.uploads = {}
        self.file_bytes = 0
        self.upstream = None
        if upstream.get("url"):
            try:
                self.upstream = Upstream(upstream["url"], upstream.get("token"), upstream.get("socket"))
            except ValueError as error:
                warn(str(error))

    def report(self, kind, body):
        """Journal what may be reported of `body`, and have the mirror show it."""
        with self.guard:
            count = self.mirror.get("checkpoint_count") or 0
            if kind == "checkpoint" and count >= MOST_CHECKPOINTS:
                self.warn("a training run has at most %d checkpoints: this one and all after it were dropped" % MOST_CHECKPOINTS)
                return
            kept, dropped = checked(kind, body)
            for sentence in dropped:
                self.warn(sentence)
            if kind == "merge":
                kept = self.without_older(body, kept)
            if kept is None:
                return
            self.journal.add(kind, kept)
            if kind == "merge":
                self.mirror = merged(self.mirror, kept)
                for name, value in self.mirror.get("values", {}).items():
                    if isinstance(value, dict):
                        value.setdefault("name", name)
            elif kind == "checkpoint":
                self.mirror["checkpoint_count"] = count + 1

    def without_older(self, body, kept):
        """What is kept of a merge, and the end of each value whose newer one was dropped: the last value counts, or none."""
        given, before = body.get("values"), self.mirror.get("values") or {}
        gone = [name for name in given if name in before and name not in (kept or {}).get("values", {})] if isinstance(given, dict) else []
        for name in gone:
            self.warn("what was logged for the metric `%s` before does not count any more" % name[:60])
        return dict(kept or {}, values=dict((kept or {}).get("values", {}), **{name: None for name in gone})) if gone else kept

    def announce(self, about):
        """Make an address for one upload. Returns the answer to the announcement of a file."""
        key = os.urandom(16).hex()
        about = {name: about.get(name) for name in FILE_FIELDS}
        with self.guard:
            if len(self.uploads) >= MOST_UPLOADS:
                del self.uploads[min(self.uploads)]
            self.uploads[key] = about
        kind = about.get("content_type")
        headers = {"Content-Type": kind} if isinstance(kind, str) else {}
        upload = {"object": "link", "url": "%s/uploads/%s" % (self.address, key), "method": "PUT", "headers": headers}
        return dict(about, object="file", id="0", upload=upload)

    def take_file(self, about, content):
        """Report a file that was uploaded; None stands for one that was too large to be read."""
        name = str(about.get("name") or about.get("filename") or "a file")[:100]
        largest, total = self.journal.file_bytes, self.journal.files_bytes
        if content is None or len(content) > largest:
            return self.warn("%s is larger than the %d KiB that a model may log here and was dropped" % (name, largest >> 10))
        if self.file_bytes + len(content) > total:
            return self.warn("the files of this training run are larger than %d KiB together; the rest was dropped" % (total >> 10))
        digest = base64.b64encode(hashlib.md5(content).digest()).decode()
        if digest != about.get("content_md5") or len(content) != about.get("content_length"):
            return self.warn("%s did not arrive as it was announced and was dropped" % name)
        self.file_bytes += len(content)
        try:
            self.report("file", dict(about, content=base64.b64encode(content).decode()))
        except OSError as error:
            self.warn("%s could not be kept and was dropped: %s" % (name, error.strerror or error))


def serve(listener, token, run, journal, upstream, warn):
    """Serve in threads of this process, for its life. `listener` is the descriptor of a socket that listens."""
    server = RelayServer(listener, token, run, journal, upstream, warn)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 3600}, daemon=True).start()


class Refusal(Exception):
    """An answer with an error in it."""

    def __init__(self, status, message):
        Exception.__init__(self, message)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    """One connection of the model's."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    unread = 0

    def answer_request(self):
        """Any request: every one is answered, whatever happens."""
        try:
            self.unread = self.body_length()
            self.route()
        except Refusal as refusal:
            self.refuse(refusal.status, str(refusal))
        except OSError as error:
            self.refuse(BUSY, "this machine cannot take it now: %s" % error)
        except Exception as error:
            self.refuse(500, "the launcher could not answer: %s: %s" % (type(error).__name__, error))

    do_GET = do_POST = do_PUT = do_DELETE = do_MERGE = answer_request  # noqa: N815

    def route(self):
        """Answer by the path, normalised once."""
        try:
            path, query = segments_of(self.path)
        except ValueError as error:
            raise Refusal(400, "%s is not a request target: %s" % (self.path[:100], error)) from None
        if path[:1] == ["uploads"] and len(path) == 2 and self.command == "PUT":
            return self.upload(path[1])
        if not hmac.compare_digest((self.headers.get("Authorization") or "").encode("utf-8", "replace"), self.server.authorization.encode()):
            raise Refusal(403, "this address is for the training run %s alone" % self.server.run_id)
        if path[:3] == ["v1", "training_runs", self.server.run_id] and self.own_run(path[3:]):
            return None
        return self.pass_on(path, query)

    def own_run(self, rest):
        """Answer what concerns the own training run. Returns False for what is not for this server."""
        if self.command == "GET" and not rest:
            self.answer(200, self.server.mirror)
        elif self.command in ("MERGE", "PUT") and not rest:
            data = self.report_body()
            if data:
                self.server.report("merge", replacing(self.server.mirror, data) if self.command == "PUT" else data)
            self.answer(*((204, None) if self.headers.get("X-Response-Content") == "skip" else (200, self.server.mirror)))
        elif self.command == "POST" and rest == ["checkpoints"]:
            data = self.report_body()
            if data:
                self.server.report("checkpoint", data)
            self.answer(204, None)
        elif self.command == "POST" and rest == ["files"]:
            self.answer(200, self.server.announce(self.report_body() or {}))
        elif self.command == "DELETE" and not rest:
            raise Refusal(403, "a model cannot archive its own training run while it runs")
        else:
            return False
        return True

    def report_body(self):
        """The body as a JSON object; None if it is too large to be a report."""
        body = self.read_body()
        if body is None:
            self.server.warn("more than %d MiB was logged at once and was dropped" % (LARGEST >> 20))
            return None
        try:
            return parsed(body, constant=float)
        except ValueError as error:
            raise Refusal(400, "Invalid JSON: %s" % error) from error

    def upload(self, key):
        """Take a file that was announced. The address is its own permission: the client sends no token to it."""
        with self.server.guard:
            about = self.server.uploads.pop(key, None)
        if about is None:
            raise Refusal(403, "no file was announced for this address")
        self.server.take_file(about, self.read_body())
        self.answer(200, {})

    def body_length(self):
        """The length of the body, which is yet to be read."""
        if self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            raise Refusal(411, "a body needs a Content-Length")
        lengths = set(self.headers.get_all("Content-Length") or ["0"])
        length = lengths.pop()
        if lengths or not (length.isascii() if hasattr(length, "isascii") else True) or not length.isdigit() or len(length) > 15:
            self.close_connection = True
            raise Refusal(400, "the Content-Length is not a number")
        return int(length)

    def read_body(self):
        """The request's body; None if it is too large to be kept, and then it is read all the same."""
        length, self.unread = self.unread, 0
        if length <= LARGEST:
            return self.rfile.read(length)
        while length > 0:
            chunk = self.rfile.read(min(CHUNK, length))
            if not chunk:
                break
            length -= len(chunk)
        return None

    def pass_on(self, path, query):
        """Have the real service answer."""
        upstream = self.server.upstream
        if upstream is None:
            if self.command == "GET" and path == ["v1", "tokens", "self"]:
                return self.answer(200, {"object": "token", "client": "1", "token_type": "client"})
            if self.command == "GET" and len(path) == 5 and path[:4] == ["v1", "clients", "1", "projects"]:
                # The client looks for its project first, and has a message of its own if there is none. What it asks next is refused and says why.
                return self.answer(200, {"object": "project", "id": path[4], "name": path[4], "client": "1"})
            raise Refusal(404 if self.command == "GET" else 400, NEEDS_THE_SERVICE % (self.command, "/" + "/".join(path)))
        body = self.read_body()
        if body is None:
            raise Refusal(413, "a body may have at most %d bytes" % LARGEST)
        status, kind, answer = upstream.ask(self.command, path, query, body, self.headers)
        return self.answer_bytes(status, answer, kind)

    def refuse(self, status, message):
        """Answer with an error, as the SigOpt API words them."""
        try:
            self.answer(status, {"message": message, "status": status})
        except OSError:
            self.close_connection = True  # nobody listens any more

    def send_error(self, code, message=None, explain=None):
        """What the base class refuses by itself (no HTTP, an unknown verb) is answered in the same way."""
        self.close_connection = True
        self.refuse(code, str(message or "this is not a request"))

    def answer(self, status, data):
        """Send JSON."""
        self.answer_bytes(status, b"" if data is None else json.dumps(data).encode(), "application/json")

    def answer_bytes(self, status, body, kind):
        """Send an answer."""
        if self.unread:
            self.read_body()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", kind or "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204 and self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format, *args):
        """Say nothing."""
