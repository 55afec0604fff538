"""Who we are to the API server: a token, a certificate, a program that gives either, or the token of the pod that we run in."""

import asyncio
import base64
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tasks.kubernetes.client.errors import ClusterRefused

PLUGIN_SECONDS = 60.0
"""How long a sign-in program may take."""
EARLY = 30.0
"""Seconds before its end at which a credential is replaced."""
ROTATED = 60.0
"""Seconds after which the token of a pod is read again: the kubelet replaces it while it is still valid."""


@dataclass(frozen=True)
class Credential:
    """What is sent. `header` is the value of `Authorization`; `certificate` and `key` are PEM; `expires` is in epoch seconds."""

    header: str | None = field(default=None, repr=False)
    certificate: str | None = None
    key: str | None = field(default=None, repr=False)
    expires: float | None = None


class Credentials:
    """Keeps one credential and fetches the next when it has expired or was refused; never two fetches at once."""

    def __init__(self, fetch: Callable[[], Awaitable[Credential]], *, clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._current: Credential | None = None
        self._lock = asyncio.Lock()

    async def current(self) -> Credential:
        """The credential to use now. Raises `ClusterRefused` if there is none to be had."""
        if self._is_good(self._current):
            return self._current  # type: ignore[return-value]  # _is_good says that it is not None
        async with self._lock:
            if not self._is_good(self._current):
                self._current = await self._fetch()
            assert self._current is not None
            return self._current

    def forget(self, refused: Credential) -> None:
        """Have another one fetched: the server has refused this one."""
        if self._current is refused:
            self._current = None

    def _is_good(self, credential: Credential | None) -> bool:
        return credential is not None and (credential.expires is None or self._clock() < credential.expires - EARLY)


def fixed_credential(user: Mapping[str, Any]) -> Credential:
    """What a user's entry says in itself: client certificate, token, or name and password, of which a token comes first."""
    header = None
    if user.get("token"):
        header = f"Bearer {user['token']}"
    elif user.get("username"):
        header = "Basic " + base64.b64encode(f"{user['username']}:{user.get('password', '')}".encode()).decode()
    certificate, key = (base64.b64decode(user[name]).decode() if user.get(name) else None for name in ("client-certificate-data", "client-key-data"))
    return Credential(header, certificate, key)


async def pod_credential(folder: Path, now: float) -> Credential:
    """The token that the kubelet keeps in `folder`, to be read again after a while."""
    token = await asyncio.to_thread((folder / "token").read_text)
    return Credential(f"Bearer {token.strip()}", expires=now + ROTATED + EARLY)


async def plugin_credential(plugin: Mapping[str, Any], cluster: Mapping[str, Any], *, environ: Mapping[str, str] = os.environ) -> Credential:
    """Run the program of a user's `exec` once and take what it prints.

    `plugin` and `cluster` are entries of a self-contained kubeconfig. Raises `ClusterRefused` with what the program said.
    """
    command = [str(plugin["command"]), *map(str, plugin.get("args") or [])]
    extra = {str(one["name"]): str(one.get("value", "")) for one in plugin.get("env") or []}
    spec: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        spec["cluster"] = dict(cluster)
    info = json.dumps({"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": spec})
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**environ, **extra, "KUBERNETES_EXEC_INFO": info},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        hint = str(plugin.get("installHint") or "").strip() or "install it, or use a token or certificate"
        raise ClusterRefused(f"could not sign in: the program {command[0]!r} cannot be started: {error.strerror}", hint=hint) from error
    try:
        out, complaints = await asyncio.wait_for(process.communicate(), PLUGIN_SECONDS)
    except TimeoutError as error:
        raise ClusterRefused(
            f"could not sign in: the program {command[0]!r} did not end within {PLUGIN_SECONDS:.0f} s", hint="run it by hand"
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        told = complaints.decode(errors="replace").strip().splitlines()
        raise ClusterRefused(
            f"could not sign in: the program {command[0]!r} ended with exit code {process.returncode}: {told[-1] if told else 'it said nothing'}",
            hint="sign in with your provider's tool, then try again",
        )
    return credential_of(out, str(plugin["apiVersion"]), command[0])


def credential_of(printed: bytes, version: str, command: str) -> Credential:
    """The credential in what a sign-in program printed (an ExecCredential of API `version`). Raises `ClusterRefused`; what it printed is not told."""
    try:
        document = json.loads(printed)
        status = document["status"]
        expires = datetime.fromisoformat(status["expirationTimestamp"]).timestamp() if status.get("expirationTimestamp") else None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ClusterRefused(f"could not sign in: what the program {command!r} printed is no ExecCredential", hint="run it by hand") from None
    if document.get("apiVersion") != version:
        raise ClusterRefused(f"could not sign in: the program {command!r} speaks {document.get('apiVersion')!r}, the kubeconfig asks for {version!r}")
    token, certificate, key = (status.get(name) for name in ("token", "clientCertificateData", "clientKeyData"))
    if not token and not (certificate and key):
        raise ClusterRefused(f"could not sign in: the program {command!r} gave neither a token nor a certificate with its key")
    return Credential(f"Bearer {token}" if token else None, certificate, key, expires)
