"""The HTTP server that the model takes for the SigOpt API: on loopback, for one training run, answering at once.

What the model logs about its own training run goes to the journal. What else it asks is passed on to the real service, if there is one.
"""

import base64
import hmac
import json
import os
import socket
import socketserver
import threading
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler
from urllib.parse import urljoin, urlsplit

LARGEST = 32 << 20
REDIRECTS = 3
UPSTREAM_SECONDS = 140
BUSY = 429
"""The one answer that the client tries again after, for up to 150 seconds."""
PASSED_ON = ("Content-Type", "Accept", "User-Agent", "X-Response-Content", "X-SigOpt-Python-Version")


class RelayServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Serves on a socket that listens already."""

    daemon_threads = True

    def __init__(self, listener, token, run, journal, upstream):
        socketserver.TCPServer.__init__(self, ("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=listener)
        self.authorization = basic(token)
        self.run_id = str(run["id"])
        self.mirror = dict(run, state=run.get("state") or "active")
        self.journal = journal
        self.upstream = upstream
        self.guard = threading.Lock()

    def log(self, kind, body):
        """Journal a report of the own training run, and have the mirror show it."""
        with self.guard:
            self.journal.add(kind, body)
            if kind == "merge":
                self.mirror = merged(self.mirror, body)
                for name, value in self.mirror.get("values", {}).items():
                    if isinstance(value, dict):
                        value.setdefault("name", name)
            else:
                self.mirror["checkpoint_count"] = (self.mirror.get("checkpoint_count") or 0) + 1


def serve(listener, token, run, journal, upstream):
    """Serve in threads of this process, for its life. `listener` is the descriptor of a socket that listens."""
    server = RelayServer(listener, token, run, journal, upstream)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 3600}, daemon=True).start()


def merged(first, second):
    """`second` merged into `first`, recursively; null deletes a key."""
    result = dict(first)
    for key, value in second.items():
        before = result.get(key)
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result


def replacing(first, second):
    """What has to be merged into `first` so that each field that `second` has is as it is there, with nothing left of what it was."""
    result = {}
    for key, value in second.items():
        before = first.get(key)
        gone = set(before) - set(value) if isinstance(before, dict) and isinstance(value, dict) else ()
        result[key] = dict(value, **{name: None for name in gone}) if gone else value
    return result


def basic(token):
    """The header `Authorization` for a token."""
    return "Basic " + base64.b64encode((token + ":").encode()).decode()


def trust():
    """How the real service's certificate is judged: as the `sigopt` client would, by the same two variables."""
    import ssl

    trusted = ssl.create_default_context(cafile=os.environ.get("SIGOPT_API_VERIFY_SSL_CERTS") or None)
    if os.environ.get("SIGOPT_API_NO_VERIFY_SSL_CERTS"):
        trusted.check_hostname = False
        trusted.verify_mode = ssl.CERT_NONE
    return trusted


class Refusal(Exception):
    """An answer with an error in it."""

    def __init__(self, status, message):
        Exception.__init__(self, message)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    """One connection of the model's."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer_request(self):
        """Any request."""
        try:
            if not hmac.compare_digest((self.headers.get("Authorization") or "").encode(), self.server.authorization.encode()):
                raise Refusal(403, "this address is for the training run %s alone" % self.server.run_id)
            body = self.read_body()
            path = urlsplit(self.path).path.strip("/").split("/")
            if path[:1] == ["v1"] and path[1:3] == ["training_runs", self.server.run_id] and self.own_run(path[3:], body):
                return
            self.pass_on(body)
        except Refusal as refusal:
            self.answer(refusal.status, {"message": str(refusal), "status": refusal.status})
        except OSError as error:
            self.answer(BUSY, {"message": "this machine cannot take it now: %s" % error, "status": BUSY})

    do_GET = do_POST = do_PUT = do_DELETE = do_MERGE = answer_request  # noqa: N815

    def own_run(self, rest, body):
        """Answer what concerns the own training run. Returns False for what is not for this server."""
        if self.command == "GET" and not rest:
            self.answer(200, self.server.mirror)
        elif self.command in ("MERGE", "PUT") and not rest:
            data = self.checked(body)
            if data:
                self.server.log("merge", replacing(self.server.mirror, data) if self.command == "PUT" else data)
            self.answer(*((204, None) if self.headers.get("X-Response-Content") == "skip" else (200, self.server.mirror)))
        elif self.command == "POST" and rest == ["checkpoints"]:
            self.server.log("checkpoint", self.checked(body))
            self.answer(204, None)
        else:
            return False
        return True

    def checked(self, body):
        """The body as a JSON object, without a claim of being completed: whoever launched the model ends its training run."""
        try:
            data = json.loads(body.decode("utf-8") or "{}", parse_constant=self.no_constant)
        except ValueError as error:
            raise Refusal(400, "Invalid JSON: %s" % error) from error
        if not isinstance(data, dict):
            raise Refusal(400, "Expected a JSON object")
        if data.get("state") == "completed":
            del data["state"]
        return data

    @staticmethod
    def no_constant(name):
        """Refuse NaN and infinities."""
        raise ValueError("%s is no JSON number" % name)

    def read_body(self):
        """The request's body."""
        length = self.headers.get("Content-Length") or "0"
        if not length.isdigit() or int(length) > LARGEST:
            self.close_connection = True
            raise Refusal(400, "The body has %s bytes; at most %d are taken" % (length, LARGEST))
        return self.rfile.read(int(length))

    def pass_on(self, body):
        """Have the real service answer."""
        if not self.server.upstream.get("url"):
            if self.path.split("?")[0].rstrip("/").endswith("/v1/tokens/self"):
                return self.answer(200, {"object": "token", "client": "1", "token_type": "client"})
            message = "%s %s cannot be answered here: a training run on this cluster reaches its own data only" % (self.command, self.path)
            raise Refusal(404, message)
        url = self.server.upstream["url"].rstrip("/") + self.path
        status, kind, place, answer = self.ask(url, body)
        for _ in range(REDIRECTS):
            if self.command != "GET" or status not in (301, 302, 307, 308) or not place:
                break
            url = urljoin(url, place)
            if urlsplit(url).netloc != urlsplit(self.server.upstream["url"]).netloc:
                break  # the token is for one service alone
            status, kind, place, answer = self.ask(url, body)
        self.answer_bytes(status, answer, kind)

    def ask(self, address, body):
        """Ask the real service. Returns status, content type, where it points to if it points elsewhere, and body; OSError if it is away."""
        url = urlsplit(address)
        headers = {name: self.headers[name] for name in PASSED_ON if self.headers.get(name)}
        headers["Authorization"] = basic(self.server.upstream["token"] or "")
        if url.scheme == "https":
            from http.client import HTTPSConnection  # not there in a Python without TLS

            connection = HTTPSConnection(url.hostname, url.port, timeout=UPSTREAM_SECONDS, context=trust())
        else:
            connection = HTTPConnection(url.hostname, url.port, timeout=UPSTREAM_SECONDS)
        try:
            connection.request(self.command, url.path + ("?" + url.query if url.query else ""), body, headers)
            response = connection.getresponse()
            return response.status, response.getheader("Content-Type"), response.getheader("Location"), response.read()
        except HTTPException as error:
            raise OSError("the service broke off: %s" % error) from error
        finally:
            connection.close()

    def answer(self, status, data):
        """Send JSON."""
        self.answer_bytes(status, b"" if data is None else json.dumps(data).encode(), "application/json")

    def answer_bytes(self, status, body, kind):
        """Send an answer."""
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", kind or "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204 and self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format, *args):
        """Say nothing."""
