"""The application: routes, and the answers for everything that is not a route."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from trialflow.service.origins import Origins
from trialflow.service.pages import page_routes
from trialflow.service.requests import refusal
from trialflow.service.routes import ROUTES
from trialflow.service.routes.files import upload_handlers
from trialflow.service.service import Service
from trialflow.service.transport import handler

PREFIXES = ("/v1", "/api/v1")
"""With and without the prefix that a self-hosted SigOpt server has."""


def create_app(service: Service, origins: Origins) -> ASGIApp:
    """The application over a service. Its verb MERGE does not exist in OpenAPI, so there is no generated schema."""
    routes: list[Route] = []
    uploads = upload_handlers(service)
    for prefix in PREFIXES:
        routes += [_route(prefix + path, method, handler(service, path, endpoint)) for method, path, endpoint in ROUTES]
        routes += [_route(f"{prefix}/uploads/{{id}}", method, handle) for method, handle in uploads.items()]
    routes += page_routes(service)
    routes += [_route(path, "GET", health) for path in ("/health", "/api/health")]
    app = Starlette(routes=routes, exception_handlers={HTTPException: refuse, Exception: refuse})
    return OriginCheck(app, origins)


async def health(request: Request) -> Response:
    """GET /health: needs no token and no database."""
    return Response('{"status":"ok"}', media_type="application/json")


async def refuse(request: Request, error: Exception) -> Response:
    """The answer for a path or a method that does not exist."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    path = request.url.path[:200]
    messages = {404: f"No such path: {path}", 405: f"{request.method} is not allowed for {path}"}
    return refusal(status, messages.get(status, "The service failed; the reason is in its log"))


class OriginCheck:
    """Answers 403 to requests that a web page of another site made a browser send, before anything else looks at them."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI interface."""
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            host, origin = (headers.get(name, b"").decode("latin-1") for name in (b"host", b"origin"))
            if (reason := self._origins.refusal_of(host, origin or None)) is not None:
                await refusal(403, reason)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _route(path: str, method: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    return Route(path, endpoint, methods=[method], include_in_schema=False)
