"""The real service, for what the relay cannot answer: one host and port, fixed when the relay starts."""

import base64
import os
import socket
from http.client import HTTPConnection, HTTPException
from urllib.parse import quote, unquote, urljoin, urlsplit

REDIRECTS = 3
SECONDS = 140
LONGEST_SOCKET_PATH = 100
PASSED_ON = ("Content-Type", "Accept", "User-Agent", "X-Response-Content", "X-SigOpt-Python-Version")


def segments_of(target):
    """The decoded path segments and the query of a request target. Raises ValueError for anything but a plain path on this server."""
    if not target.startswith("/") or not all("!" <= letter <= "~" for letter in target) or "#" in target:
        raise ValueError("expected a path")
    path, _, query = target.partition("?")
    segments = [unquote(part) for part in path.split("/") if part]
    for segment in segments:
        if segment in (".", "..") or any(letter < " " or letter in "/\\\x7f" for letter in segment):
            raise ValueError("expected a path without dots, slashes or control characters in its parts")
    return segments, query


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


class SocketConnection(HTTPConnection):
    """A connection to a Unix socket in a folder that only the user can enter. After the service has died, its port may be another user's."""

    def __init__(self, path, host, port):
        HTTPConnection.__init__(self, host, port, timeout=SECONDS)
        self.path = path

    def connect(self):
        """Connect to the path, or to a shorter name of it where it is too long for the kernel."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        if len(os.fsencode(self.path)) <= LONGEST_SOCKET_PATH:
            self.sock.connect(self.path)
            return
        folder = os.open(os.path.dirname(self.path), os.O_RDONLY)
        try:
            self.sock.connect("/proc/self/fd/%d/%s" % (folder, os.path.basename(self.path)))
        finally:
            os.close(folder)


class Upstream:
    """The service at `url`, asked with `token`: by its Unix socket at the path `unix_socket`, if there is one.

    Raises ValueError if `url` is not the address of a server.
    """

    def __init__(self, url, token, unix_socket=None):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("%r is not the address of a service" % url)
        self.is_secure = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.is_secure else 80)
        self.prefix = parts.path.rstrip("/")
        self.authorization = basic(token or "")
        self.unix_socket = None if self.is_secure else unix_socket

    def ask(self, method, segments, query, body, headers):
        """Returns status, content type and body. Raises OSError if the service is away."""
        passed = {name: headers[name] for name in PASSED_ON if headers.get(name)}
        passed["Authorization"] = self.authorization
        target = self.prefix + "/" + "/".join(quote(part, safe="") for part in segments) + ("?" + query if query else "")
        for _ in range(REDIRECTS):
            status, kind, location, answer = self._send(method, target, body, passed)
            if method != "GET" or status not in (301, 302, 307, 308) or not location:
                break
            moved = self._target_of(urljoin(self._origin() + target, location))
            if moved is None:
                break  # the token is for this service alone
            target = moved
        return status, kind, answer

    def _origin(self):
        host = "[%s]" % self.host if ":" in self.host else self.host
        return "%s://%s:%d" % ("https" if self.is_secure else "http", host, self.port)

    def _target_of(self, address):
        """The request target of an address on this server; None if it is on another."""
        parts = urlsplit(address)
        is_secure = parts.scheme == "https"
        if (is_secure, parts.hostname, parts.port or (443 if is_secure else 80)) != (self.is_secure, self.host, self.port):
            return None
        return (parts.path or "/") + ("?" + parts.query if parts.query else "")

    def _send(self, method, target, body, headers):
        if self.is_secure:
            from http.client import HTTPSConnection  # not there in a Python without TLS

            connection = HTTPSConnection(self.host, self.port, timeout=SECONDS, context=trust())
        elif self.unix_socket:
            connection = SocketConnection(self.unix_socket, self.host, self.port)
        else:
            connection = HTTPConnection(self.host, self.port, timeout=SECONDS)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return response.status, response.getheader("Content-Type"), response.getheader("Location"), response.read()
        except HTTPException as error:
            raise OSError("the service broke off: %s" % error) from error
        finally:
            connection.close()
