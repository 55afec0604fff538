"""From an HTTP request to an endpoint and back: JSON both ways, and every error as `{"message", "status"}`."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from trialflow.errors import InvalidInput
from trialflow.service import json_text
from trialflow.service.errors import ApiError
from trialflow.service.requests import Call, read_call, refusal
from trialflow.service.service import Service

logger = logging.getLogger(__name__)
Answer = Mapping[str, Any] | Response | None
Endpoint = Callable[[Call], Awaitable[Answer]]
Handler = Callable[[Request], Awaitable[Response]]


def handler(service: Service, route: str, endpoint: Endpoint) -> Handler:
    """`endpoint` as Starlette calls it: it takes a `Call` of its `route`, and what it returns is sent as JSON."""

    async def handle(request: Request) -> Response:
        answer = await endpoint(await read_call(request, service, route))
        if isinstance(answer, Response):
            return answer
        if answer is None or (request.method != "GET" and request.headers.get("x-response-content") == "skip"):
            return Response(status_code=204)
        return Response(json_text.dump(answer), media_type="application/json")

    return refusing(handle)


def refusing(handle: Handler) -> Handler:
    """`handle` with every error answered."""

    async def answered(request: Request) -> Response:
        try:
            return await handle(request)
        except ApiError as error:
            return refusal(error.status, error.message)
        except InvalidInput as error:
            return refusal(400, error.message)
        except Exception:
            logger.exception("%s %s", request.method, request.url.path)
            return refusal(500, "The service failed; the reason is in its log")

    return answered
