"""Who may see a page and change something from one, and what a browser is told to refuse."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from trialflow.errors import InvalidInput
from trialflow.service.errors import ApiError
from trialflow.service.pages.rendering import render
from trialflow.service.requests import refusal
from trialflow.service.service import Service

logger = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]
# plotly gives elements styles of their own. No script in a page is executed, and none from elsewhere.
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def policy(**changed: str) -> str:
    """The content security policy, with some of its directives changed (`script_src` for `script-src`)."""
    own = {name.replace("_", "-"): value for name, value in changed.items()}
    return "; ".join(f"{name} {value}" for name, value in {**POLICY, **own}.items())


HEADERS = {
    "Content-Security-Policy": policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


def gated(service: Service, handle: Handler) -> Handler:
    """`handle` for whoever is signed in; a request that changes something has to come from a page of this service."""

    async def checked(request: Request) -> Response:
        if not service.sign_in.is_signed_in(request.cookies.get(service.sign_in.cookie)):
            return _refused(request, 401, "You are not signed in")
        if request.method != "GET" and (reason := foreign(request)):
            return refusal(403, reason)
        return await handle(request)

    return safe(checked)


def safe(handle: Handler) -> Handler:
    """`handle` with every error answered, and the headers that keep a browser from doing what a page does not need."""

    async def answered(request: Request) -> Response:
        try:
            response = await handle(request)
        except ApiError as error:
            response = _refused(request, error.status, error.message)
        except InvalidInput as error:
            response = _refused(request, 400, error.message)
        except Exception:
            logger.exception("%s %s", request.method, request.url.path)
            response = _refused(request, 500, "The service failed; the reason is in its log")
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return answered


def foreign(request: Request) -> str | None:
    """Why a request that changes something is taken for another site's; None if it is not.

    That an `Origin` is the service's own was checked before (`origins.py`): here there has to be one. JSON cannot be sent by a form.
    """
    if not request.headers.get("origin") or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return "This can only be asked for from a page of this service"
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return "Expected JSON"
    return None


def _refused(request: Request, status: int, message: str) -> Response:
    """An error as a page, or as JSON for a script."""
    if request.method != "GET" or "text/html" not in request.headers.get("accept", "text/html"):
        return refusal(status, message)
    shown: dict[str, Any] = {"status": status, "message": message, "title": message}
    return render(request, "refused.html", shown, status=status)
