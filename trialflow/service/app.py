"""The application: routes, and the answers for what is no route."""

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from trialflow import __version__
from trialflow.service.files import FileStore
from trialflow.service.routes import ROUTES
from trialflow.service.store import StoreThread
from trialflow.service.suggester import Suggester
from trialflow.service.transport import handler, refusal

PREFIXES = ("/v1", "/api/v1")
"""With and without the prefix that a self-hosted SigOpt server has."""


class Service:
    """What every endpoint works with."""

    def __init__(self, *, store: StoreThread, files: FileStore, token: str) -> None:
        self.store = store
        self.files = files
        self.token = token
        self.advisor = Suggester(store)

    def close(self) -> None:
        """Finish what is under way and close the database."""
        self.advisor.close()
        self.store.close()


def create_app(service: Service) -> FastAPI:
    """The application over a service. The API's own schema is not OpenAPI's: its verb MERGE is none that OpenAPI knows."""
    app = FastAPI(title="trialflow", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    for prefix in PREFIXES:
        for method, path, endpoint in ROUTES:
            app.add_route(prefix + path, handler(service, endpoint), methods=[method])
        app.add_route(f"{prefix}/uploads/{{id}}", service.files.receive, methods=["PUT"])
        app.add_route(f"{prefix}/uploads/{{id}}", service.files.send, methods=["GET"])

    async def health(request: Request) -> Response:
        return Response('{"status":"ok"}', media_type="application/json")

    async def refuse(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        words = {404: f"No such path: {request.url.path}", 405: f"{request.method} is not allowed for {request.url.path}"}
        return refusal(status, words.get(status, str(getattr(error, "detail", "The service has a fault"))))

    app.add_route("/health", health, methods=["GET"])
    app.add_route("/api/health", health, methods=["GET"])
    app.add_exception_handler(HTTPException, refuse)
    app.add_exception_handler(Exception, refuse)
    return app
