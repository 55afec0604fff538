"""The addresses of pages."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trialflow.service import json_text
from trialflow.service.errors import ApiError
from trialflow.service.pages.actions import Actions
from trialflow.service.pages.comparison import ComparisonPage
from trialflow.service.pages.experiment import ExperimentPage
from trialflow.service.pages.gate import gated, safe
from trialflow.service.pages.memory import Memory
from trialflow.service.pages.overview import Overview
from trialflow.service.pages.rendering import part, render, templates
from trialflow.service.pages.static_files import send_file, version
from trialflow.service.pages.training_run import TrainingRunPage
from trialflow.service.service import Service
from trialflow.service.sign_in import COOKIE_SECONDS, user_of

PLACES = ("experiments", "training-runs")


def page_routes(service: Service) -> list[Route]:
    """The routes of all pages of a service."""
    templates.globals["static"] = version()
    memory = Memory(service.store)
    overview, experiment, training_run = Overview(service), ExperimentPage(service, memory), TrainingRunPage(service)
    comparison, actions = ComparisonPage(memory), Actions(service)

    async def first(request: Request) -> Response:
        found = await overview.of(request)
        parts = {"overview": part("parts/overview.html", {"root": "./", **found})}
        return render(request, "overview.html", {**found, "title": "Experiments", "parts": parts})

    async def first_live(request: Request) -> Response:
        text = part("parts/overview.html", {"root": "./", **await overview.of(request)})
        tag = f'"{hash(text) & 0xFFFFFFFFFFFF:x}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        answer = json_text.dump({"parts": {"overview": text}, "pictures": [], "choices": {}})
        return Response(answer, media_type="application/json", headers={"ETag": tag})

    one, run = "/experiments/{id}", "/training-runs/{id}"
    pages = {
        "/": first,
        "/live": first_live,
        one: experiment.page,
        f"{one}/live": experiment.live,
        f"{one}/beliefs": experiment.beliefs,
        f"{one}/table.csv": experiment.table_csv,
        run: training_run.page,
        f"{run}/live": training_run.live,
        f"{run}/files/{{file}}": training_run.file,
        "/compare": comparison.page,
        "/compare/live": comparison.live,
    }
    changing = {
        f"{one}/archive": actions.archive,
        f"{one}/unarchive": actions.unarchive,
        f"{one}/budget": actions.set_budget,
        f"{one}/suggest": actions.suggest,
        f"{one}/repeat": actions.repeat,
        f"{one}/stop": actions.stop,
        f"{run}/repeat": actions.repeat_run,
        f"{run}/stop": actions.stop_run,
        "/sign-out": lambda request: _sign_out(service, request),
    }
    return [
        Route("/sign-in", safe(lambda request: _sign_in(service, request)), methods=["GET"]),
        Route("/static/{version}/{name}", safe(send_file), methods=["GET"]),
        *(Route(path, gated(service, handle), methods=["GET"]) for path, handle in pages.items()),
        *(Route(path, gated(service, handle), methods=["POST"]) for path, handle in changing.items()),
    ]


async def _sign_in(service: Service, request: Request) -> Response:
    """GET /sign-in?code=...&to=...: the cookie, and on to the page.

    The page follows by itself instead of a redirect: a browser that was sent here by another program would not show the new cookie on a redirect.
    """
    peer = request.client
    server = request.scope.get("server")
    user = await asyncio.to_thread(user_of, peer.host, peer.port, server[1]) if peer and server and server[1] else None
    cookie = service.sign_in.redeem(request.query_params.get("code", ""), user)
    if cookie is None:
        raise ApiError(403, "This code is not valid: each one works once, within a minute, and for the user who asked for it")
    to = _place(request.query_params.get("to", ""))
    response = render(request, "signed_in.html", {"to": f"./{to}", "title": "Signed in"})
    is_secure = request.url.scheme == "https"
    # No path: the browser takes the folder of this address, whatever a proxy has put before it.
    response.set_cookie(service.sign_in.cookie, cookie, max_age=COOKIE_SECONDS, path=None, secure=is_secure, httponly=True, samesite="strict")
    return response


async def _sign_out(service: Service, request: Request) -> Response:
    """POST /sign-out: the browser forgets the cookie."""
    response = Response(json_text.dump({"message": "Signed out."}), media_type="application/json")
    response.set_cookie(service.sign_in.cookie, "", max_age=0, path=None, httponly=True, samesite="strict")
    return response


def _place(to: str) -> str:
    """Where to go after signing in: one of our own pages, else the first one."""
    kind, _, number = to.partition("/")
    return to if kind in PLACES and number.isascii() and number.isdigit() and len(number) < 19 else ""
