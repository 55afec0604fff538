"""Signing in: a code that works once and for a minute becomes a cookie. The token itself never reaches a browser.

A code travels in the address that a browser is started with, and on a shared machine others can read that. So a code for this machine is bound to the
user who asked for it: whoever redeems it has to connect from a process of the same user.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trialflow.network import is_loopback

CODE_SECONDS = 60
MOST_CODES = 64
COOKIE_SECONDS = 7 * 86_400
ESTABLISHED = "01"
STRANGER = -1
"""Instead of a user's id: a process on this machine of which nobody knows whose it is."""


@dataclass(frozen=True)
class _Code:
    expires: float
    user: int | None


class SignIn:
    """Codes and cookies of one service. Cookies are signed, not stored: they outlive the service's process, and end with its token."""

    def __init__(self, token: str, *, clock: Callable[[], float] = time.time) -> None:
        self._key = hashlib.sha256(b"pages:" + token.encode()).digest()
        self._clock = clock
        self._codes: dict[bytes, _Code] = {}
        # A browser has the same cookies for all ports of a host: each service needs a name of its own.
        self.cookie = "trialflow_" + hashlib.sha256(b"name:" + self._key).hexdigest()[:8]

    def code(self, user: int | None = None) -> str:
        """A new code; for the `user` with this id alone, if given."""
        now = self._clock()
        self._codes = {key: one for key, one in self._codes.items() if one.expires > now}
        while len(self._codes) >= MOST_CODES:
            del self._codes[next(iter(self._codes))]
        code = secrets.token_urlsafe(32)
        self._codes[_digest(code)] = _Code(now + CODE_SECONDS, user)
        return code

    def redeem(self, code: str, user: int | None) -> str | None:
        """The cookie for a code that is valid; None for any other. `user` is who asks, None if that cannot be known. It works once."""
        found = self._codes.get(_digest(code))
        if found is None or (found.user is not None and user not in (None, found.user, 0)):
            return None
        del self._codes[_digest(code)]
        if found.expires <= self._clock():
            return None
        body = f"{int(self._clock()) + COOKIE_SECONDS}.{secrets.token_urlsafe(12)}"
        return f"{body}.{self._sign(body)}"

    def is_signed_in(self, cookie: str | None) -> bool:
        """Whether this is a cookie of this service that has not expired."""
        body, _, signature = (cookie or "").rpartition(".")
        if not hmac.compare_digest(self._sign(body).encode(), signature.encode(errors="replace")):
            return False
        return int(body.partition(".")[0]) > self._clock()

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode(errors="replace"), hashlib.sha256).hexdigest()


def user_of(host: str, port: int, server_port: int, tables: tuple[Path, ...] = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))) -> int | None:
    """The id of the user whose process is connected from this address to `server_port` of this machine, as the kernel knows it.

    A connection that is ending is nobody's: the kernel says 0 of it, which is root's.
    None where the kernel does not say (no Linux), and for other machines; `STRANGER` for a connection of this machine that it does not know.
    """
    is_known = False
    for table in tables:
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        is_known = True
        for line in lines:
            fields = line.split()
            (address, _, number), (_, _, to) = fields[1].partition(":"), fields[2].partition(":")
            is_it = int(number, 16) == port and int(to, 16) == server_port and fields[3] == ESTABLISHED
            if is_it and _same_host(address, host):
                return int(fields[7])
    return STRANGER if is_known and is_loopback(host) else None


def _same_host(address: str, host: str) -> bool:
    """Whether an address of the kernel's table, hexadecimal and in words of the machine's order, is `host`. IPv6 is compared by its end."""
    words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
    if "." in host:
        return words[-1] == bytes(int(part) for part in host.rpartition(":")[2].split("."))
    return len(words) == 4


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode(errors="replace")).digest()
