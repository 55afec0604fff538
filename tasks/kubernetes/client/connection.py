"""One connection to the API server: one client, one pool of sockets, one sign-in, for everything that a flow does on a cluster."""

import asyncio
import base64
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import aiohttp
from kubernetes_asyncio.client import ApiClient, Configuration
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.client.rest import RESTClientObject
from multidict import CIMultiDict

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.credentials import Credential, Credentials, fixed_credential, plugin_credential, pod_credential
from tasks.kubernetes.client.eks_token import eks_credential, sign_in_of
from tasks.kubernetes.client.kubeconfig import cluster_of, user_of
from tasks.kubernetes.client.kubeconfig_files import SERVICE_ACCOUNT, is_in_cluster
from tasks.kubernetes.client.tls import check_dates, load_certificate, tls_context
from trialflow import __version__
from trialflow.errors import InvalidInput
from trialflow.network import without_logins

CONNECT_SECONDS = 10.0
"""How long a connection may take, TLS included."""
ANSWER_SECONDS = 60.0
"""How long an answer may take that is not a stream. Kubernetes itself gives a request 60 s."""
BUSY_DELAYS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before a request is made again that was answered with `BUSY`, where the answer does not say how long."""
BUSY = (429, 500, 502, 503, 504)
LONGEST_DELAY = 15.0
HEARTBEAT_SECONDS = 30.0
"""How often a websocket is asked whether it lives: proxies close those that are silent."""
READ_BUFFER = 1 << 21
"""Bytes of one line of a watch: an object may have 1.5 MiB."""


class Connection:
    """An open connection; made by `open_cluster`. `api` is for the generated clients, as in `BatchV1Api(connection.api)`; `server` is for people."""

    def __init__(self, cluster: Cluster, api: ApiClient, server: str, requests: "Requests") -> None:
        self.cluster = cluster
        self.api = api
        self.server = server
        self._requests = requests

    @property
    def namespace(self) -> str:
        """The namespace of training runs."""
        return self.cluster.namespace

    @property
    def requests(self) -> int:
        """How many requests have been made."""
        return self._requests.count

    async def open_websocket(self, path: str, protocol: str) -> aiohttp.ClientWebSocketResponse:
        """A websocket of the API server. Raises what aiohttp does."""
        return await self._requests.open_websocket(f"{self.api.configuration.host}{path}", protocol)


class Requests(RESTClientObject):
    """As the library's, over our session: counted, with time limits, made again if the server is busy or a credential that can be renewed is refused.

    A busy server may have done what it was asked: whoever creates or deletes finds that it exists, or is gone, and takes it for done.
    """

    def __init__(self, configuration: Configuration, session: aiohttp.ClientSession, sign_in: "Authenticator") -> None:
        # Not super's __init__: it would make a session of its own, whose TLS context can only be made from files.
        self.pool_manager = session
        self.server_hostname = cast(Any, configuration.tls_server_name)
        self.proxy = cast(Any, configuration.proxy)
        self.proxy_headers = {}
        self.count = 0
        self._sign_in = sign_in

    async def request(self, method: str, url: str, *, headers: dict[str, str] | None = None, _request_timeout: Any = None, **others: Any) -> Any:  # type: ignore[override]
        """Make a request. A stream (`_preload_content=False`) has no limit of time but that to connect."""
        streamed = not others.get("_preload_content", True)
        timeout = _request_timeout or aiohttp.ClientTimeout(total=None if streamed else ANSWER_SECONDS, sock_connect=CONNECT_SECONDS)
        once = partial(self._once, method, url, dict(headers or {}), _request_timeout=timeout, **others)
        for delay in (*BUSY_DELAYS, None):
            try:
                return await once()
            except ApiException as error:
                if delay is None or error.status not in BUSY:
                    raise
                await asyncio.sleep(delay_asked_for(error.headers) or delay)

    async def open_websocket(self, url: str, protocol: str) -> aiohttp.ClientWebSocketResponse:
        """Open a websocket, signed in as for any request."""
        for is_last in (False, True):
            headers: dict[str, str] = {}
            used = await self._sign_in.apply(headers)
            self.count += 1
            try:
                return await self.pool_manager.ws_connect(
                    url,
                    protocols=[protocol],
                    headers=headers,
                    proxy=self.proxy,
                    server_hostname=self.server_hostname,
                    heartbeat=HEARTBEAT_SECONDS,
                    max_msg_size=0,
                )
            except aiohttp.WSServerHandshakeError as error:
                if error.status != 401 or is_last or not self._sign_in.forget(used):
                    raise
        raise AssertionError("a credential is tried twice at most")

    async def _once(self, method: str, url: str, headers: dict[str, str], **others: Any) -> Any:
        for is_last in (False, True):
            used = await self._sign_in.apply(headers)
            self.count += 1
            try:
                answer = await super().request(method, url, headers=dict(headers), **others)
            except ApiException as error:
                if error.status != 401 or is_last or not self._sign_in.forget(used):
                    raise
                continue
            if not others.get("_preload_content", True) and answer.status == 401 and not is_last and self._sign_in.forget(used):
                answer.close()
                continue
            return answer


def delay_asked_for(headers: Mapping[str, str] | None) -> float | None:
    """The seconds of a Retry-After header, `LONGEST_DELAY` at most; None if there is none that is a number."""
    said = (headers or {}).get("Retry-After", "")
    return min(float(said), LONGEST_DELAY) if said.isdigit() else None


class Authenticator:
    """Puts the credential of now on a request and, if it is a certificate, into the TLS context."""

    def __init__(self, credentials: Credentials, context: ssl.SSLContext | None, *, renewable: bool) -> None:
        self._credentials = credentials
        self._context = context
        self._renewable = renewable
        self._loaded: str | None = None

    async def apply(self, headers: dict[str, str]) -> Credential:
        """Set `authorization` in `headers`; return what was used. Raises `ClusterRefused` if a certificate cannot be used."""
        credential = await self._credentials.current()
        if credential.header:
            headers["authorization"] = credential.header
        if self._context and credential.certificate and credential.key and credential.certificate != self._loaded:
            load_certificate(self._context, credential.certificate, credential.key)
            self._loaded = credential.certificate
        return credential

    def forget(self, credential: Credential) -> bool:
        """Drop a credential that was refused. False if there can be no other."""
        if self._renewable:
            self._credentials.forget(credential)
        return self._renewable


@asynccontextmanager
async def open_cluster(
    cluster: Cluster, *, pool: int = 256, clock: Callable[[], float] = time.time, environ: Mapping[str, str] = os.environ
) -> AsyncIterator[Connection]:
    """A connection with room for `pool` requests and streams at once, closed at the end. No request is made yet.

    Raises `InvalidInput` or `ClusterRefused` for a cluster that cannot be connected to as it is described.
    """
    facts: Mapping[str, Any]
    if cluster.kubeconfig:
        facts, user = cluster_of(cluster.kubeconfig), user_of(cluster.kubeconfig)
    else:
        facts, user = _pod_cluster(cluster, environ), {}
    context = tls_context(facts) if facts["server"].startswith("https://") else None
    sign_in = _sign_in(user, facts, context, bool(cluster.kubeconfig), clock)
    server = facts["server"].rstrip("/")
    configuration = Configuration(host=server)
    configuration.tls_server_name = facts.get("tls-server-name") if context else None
    configuration.proxy = facts.get("proxy-url")
    connector = aiohttp.TCPConnector(limit=pool, ssl=context or False)
    async with aiohttp.ClientSession(
        connector=connector, trust_env=True, read_bufsize=READ_BUFFER, headers=_impersonation(user), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        requests = Requests(configuration, session, sign_in)
        api = ApiClient(configuration)
        await api.rest_client.close()
        api.rest_client = requests
        api.user_agent = f"trialflow/{__version__}"
        yield Connection(cluster, api, without_logins(server), requests)


def _sign_in(
    user: Mapping[str, Any], facts: Mapping[str, Any], context: ssl.SSLContext | None, has_user: bool, clock: Callable[[], float]
) -> Authenticator:
    fixed = fixed_credential(user)
    if fixed.certificate:
        check_dates(fixed.certificate, clock())
    if fixed.certificate and fixed.key and context:
        load_certificate(context, fixed.certificate, fixed.key)

    async def fetch() -> Credential:
        if not has_user:
            return await pod_credential(SERVICE_ACCOUNT, clock())
        if eks := sign_in_of(user):
            return await asyncio.to_thread(eks_credential, eks, clock())
        return await plugin_credential(user["exec"], facts) if user.get("exec") and not fixed.header else fixed

    return Authenticator(Credentials(fetch, clock=clock), None if fixed.certificate else context, renewable=not has_user or bool(user.get("exec")))


def _pod_cluster(cluster: Cluster, environ: Mapping[str, str]) -> dict[str, str]:
    if not is_in_cluster(environ):
        raise InvalidInput(
            f"the cluster {cluster.name} has no kubeconfig, and this is no pod with a service account",
            hint=f"`trialflow cluster connect -n {cluster.name} --provider custom --kubeconfig PATH`",
        )
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ["KUBERNETES_SERVICE_PORT"]
    authority = base64.b64encode((SERVICE_ACCOUNT / "ca.crt").read_bytes()).decode()
    return {"server": f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}", "certificate-authority-data": authority}


def _impersonation(user: Mapping[str, Any]) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    for key, header in (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid")):
        if user.get(key):
            headers.add(header, str(user[key]))
    for group in user.get("as-groups") or []:
        headers.add("Impersonate-Group", str(group))
    for key, values in (user.get("as-user-extra") or {}).items():
        for value in values:
            headers.add(f"Impersonate-Extra-{key}", str(value))
    return headers
