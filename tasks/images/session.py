"""HTTP with one repository of a registry: finds the way to it, logs in as it asks, and turns its refusals into words.

Source: the OCI distribution specification 1.1 and Docker's token authentication (distribution.github.io/distribution/spec/auth/token).
"""

import asyncio
import base64
import re
import ssl
from collections.abc import Callable, Mapping

import httpx

from tasks.causes import cause_of
from tasks.images.errors import RegistryRefused, RegistryUnavailable
from tasks.images.exchange import UnsafeAnswer, as_json, exchange, is_own_realm, is_same_origin, shown, what_it_said
from tasks.images.login import Login, docker_login, how_to_log_in
from tasks.images.references import DOCKER_HUB, Reference
from tasks.images.transport import Way, is_loopback, is_tls_trouble, tls, ways

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
CLIENT_ID = "trialflow"
TROUBLE = (httpx.HTTPError, httpx.InvalidURL, UnsafeAnswer)


class RegistrySession:
    """A connection to the repository of `reference`, to be used in `async with`.

    `login` is used when the registry asks for one; without it `find_login(registry)` is called then. `insecure` says that Docker, or the user, has
    called this registry insecure; None asks `listed_insecure(host)`, and only if https does not work.
    Raises `RegistryRefused` and `RegistryUnavailable`.
    """

    def __init__(
        self,
        reference: Reference,
        *,
        login: Login | None = None,
        insecure: bool | None = None,
        actions: str = "pull",
        find_login: Callable[[str], Login | None] = docker_login,
        listed_insecure: Callable[[str], bool] = lambda host: False,
    ) -> None:
        self.reference = reference
        self.actions = actions
        self._login = login
        self._find_login = find_login
        self._insecure = insecure
        self._listed_insecure = listed_insecure
        self._client: httpx.AsyncClient | None = None
        self._way: Way | None = None
        self._authorization: str | None = None

    async def __aenter__(self) -> "RegistrySession":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client:
            await self._client.aclose()

    async def greet(self) -> str:
        """The address at which the registry answers, as one does. A registry that asks for a login answers as well."""
        client = await self._connected()
        answer = await self._send(client, "GET", "/v2/", {})
        if answer.status_code not in (200, 401):
            raise RegistryUnavailable(
                f"{self.reference.registry} answered {answer.status_code}, as no registry does", hint="check the registry's name and port"
            )
        return str(client.base_url).rstrip("/")

    async def request(
        self, method: str, path: str, *, accept: str | None = None, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> httpx.Response:
        """The answer to a request below `/v2/REPOSITORY/` (or to an absolute address), logged in if need be.

        Answers of 400 and above other than 404 are raised as errors; 404 is for the caller to explain.
        """
        client = await self._connected()
        url = path if "://" in path else f"/v2/{self.reference.repository}/{path}"
        sent = {**({"Accept": accept} if accept else {}), **(headers or {})}
        answer = await self._send(client, method, url, sent, content)
        if answer.status_code == 401 and is_same_origin(answer.url, client.base_url):
            self._authorization = await self._authorize(client, answer)
            answer = await self._send(client, method, url, sent, content)
        if answer.status_code >= 400 and answer.status_code != 404:
            raise self._explained(answer)
        return answer

    async def _connected(self) -> httpx.AsyncClient:
        if self._client is not None:
            return self._client
        host = self.reference.host
        tries = list(ways(host, told_insecure=bool(self._insecure)))
        trouble: Exception | None = None
        while tries:
            way = tries.pop(0)
            # Loopback is this machine: a proxy would ask another one.
            client = httpx.AsyncClient(base_url=f"{way.scheme}://{host}", verify=tls(host, way), timeout=TIMEOUT, trust_env=not is_loopback(host))
            try:
                await exchange(client, "GET", "/v2/", follow=False)
            except UnsafeAnswer as error:
                await client.aclose()
                raise self._unreachable(error) from error
            except httpx.HTTPError as error:
                await client.aclose()
                # What was wrong with https says more than what is wrong with http after it, unless nothing listens at all.
                trouble = trouble if trouble is not None and is_tls_trouble(trouble) else error
                if isinstance(is_tls_trouble(error), ssl.SSLCertVerificationError):
                    # It speaks TLS and may be an impostor: plain http would be the wrong answer to that.
                    tries = []
                if not tries and self._insecure is None:
                    self._insecure = await asyncio.to_thread(self._listed_insecure, host)
                    tries = list(ways(host, told_insecure=True)) if self._insecure else []
                continue
            self._client, self._way = client, way
            return client
        assert trouble is not None
        raise self._unreachable(trouble) from trouble

    async def _send(
        self, client: httpx.AsyncClient, method: str, url: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> httpx.Response:
        try:
            # A registry may name an address at which to go on: what is elsewhere gets no login.
            target = client.base_url.join(url)
            is_own = self._authorization and is_same_origin(target, client.base_url)
            authorized = {**headers, "Authorization": self._authorization} if is_own else dict(headers)
            if client.base_url.scheme == "https" and target.scheme != "https":
                raise UnsafeAnswer(f"it sends us on from https to {shown(target)}, which is not followed")
            return await exchange(client, method, target, headers=authorized, content=content)  # type: ignore[arg-type]
        except TROUBLE as error:
            raise self._unreachable(error) from error

    async def _authorize(self, client: httpx.AsyncClient, refused: httpx.Response) -> str:
        """The `Authorization` header that answers the registry's challenge."""
        challenge = refused.headers.get("www-authenticate", "")
        kind = challenge.partition(" ")[0].lower()
        asked = {name.lower(): value for name, value in CHALLENGE.findall(challenge)}
        login = self._login or await asyncio.to_thread(self._find_login, self.reference.registry)
        if login and self._way and not self._way.confidential:
            raise RegistryRefused(
                f"the registry {self.reference.registry} asks for a login, which is not sent over plain http",
                hint=f'give the registry TLS, or add "{self.reference.registry}" to "insecure-registries" of Docker\'s daemon.json',
            )
        if kind == "bearer" and "realm" in asked:
            return f"Bearer {await self._token(client, asked, login)}"
        if kind == "basic" and login and login.password:
            return _basic(login)["Authorization"]
        raise self._explained(refused, known=login)

    async def _token(self, client: httpx.AsyncClient, asked: Mapping[str, str], login: Login | None) -> str:
        registry = self.reference.registry
        scope = asked.get("scope") or f"repository:{self.reference.repository}:{self.actions}"
        query = {"scope": scope, **({"service": asked["service"]} if "service" in asked else {})}
        try:
            realm = httpx.URL(asked["realm"])
            if login and not is_own_realm(client.base_url, realm):
                raise RegistryRefused(
                    f"the registry {registry} asks for its login to be sent to {shown(realm)}, which is not its own address",
                    hint="a login goes only to the registry's own host or domain, and never from https to http",
                )
            if login and login.identity_token:
                form = {**query, "grant_type": "refresh_token", "refresh_token": login.identity_token, "client_id": CLIENT_ID}
                answer = await exchange(client, "POST", realm, form=form, follow=False)
            else:
                answer = await exchange(client, "GET", realm.copy_merge_params(query), headers=_basic(login), follow=False)
        except TROUBLE as error:
            raise self._unreachable(error) from error
        if answer.status_code >= 400:
            raise self._explained(answer, known=login)
        said = as_json(answer)
        token = said.get("token") or said.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise RegistryUnavailable(f"the registry {registry} sent us to {shown(realm)} for a token, and that gave us none ({answer.status_code})")
        return token

    def _unreachable(self, error: Exception) -> RegistryUnavailable:
        registry = self.reference.registry
        if (trouble := is_tls_trouble(error)) is not None:
            reason = getattr(trouble, "verify_message", None) or trouble.reason or str(trouble)
            return RegistryUnavailable(
                f"no TLS connection to the registry {registry}: {reason}",
                hint=f"put its authority's certificate at /etc/docker/certs.d/{registry}/ca.crt, or, if it has no TLS, add it to "
                "`insecure-registries` of Docker's daemon.json",
            )
        return RegistryUnavailable(
            f"the registry {registry} did not answer: {cause_of(error)}",
            hint="check its name and port, and that it can be reached from here",
        )

    def _explained(self, answer: httpx.Response, known: Login | None = None) -> RegistryRefused | RegistryUnavailable:
        registry, status, said = self.reference.registry, answer.status_code, what_it_said(answer)
        if status in (401, 403):
            known = known or self._login
            who = f"the login{f' of {known.username}' if known.username else ''}" if known else "a request without a login"
            maybe = f"{self.reference.name} may not exist, or" if registry == DOCKER_HUB else "it may be that"
            return RegistryRefused(
                f"the registry {registry} refused {who} ({status}) for {self.reference.repository}: {said}",
                hint=f"{maybe} it needs {'another' if known else 'a'} login: {how_to_log_in(registry)}",
            )
        if status == 429:
            return RegistryUnavailable(
                f"the registry {registry} answered that it was asked too often (429): {said}",
                hint=f"wait, or log in to be allowed more: {how_to_log_in(registry)}",
            )
        return RegistryUnavailable(f"the registry {registry} answered {status}: {said}")


def _basic(login: Login | None) -> dict[str, str]:
    """The header with a name and a password; none without a login."""
    if login is None:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(f"{login.username}:{login.password}".encode()).decode()}
