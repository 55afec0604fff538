"""From an HTTP request to a call and back: token, JSON both ways, and every error as `{"message", "status"}`."""

import base64
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from trialflow.errors import InvalidInput
from trialflow.service.errors import ApiError, BadRequest

if TYPE_CHECKING:
    from trialflow.service.app import Service

logger = logging.getLogger(__name__)
LARGEST_BODY = 32 << 20
Answer = dict[str, Any] | Response | None


@dataclass
class Call:
    """One request, its token checked: `body` is its JSON object, `query` its query, `path` the variables of its path."""

    request: Request
    service: "Service"
    body: dict[str, Any]
    query: dict[str, Any]
    path: dict[str, str]


Endpoint = Callable[[Call], Awaitable[Answer]]


def handler(service: "Service", endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """What the web framework calls for `endpoint`."""

    async def handle(request: Request) -> Response:
        try:
            check_token(request, service.token)
            body = parse(await read(request))
            answer = await endpoint(Call(request, service, body, query(request), dict(request.path_params)))
        except ApiError as error:
            return refusal(error.status, error.message)
        except InvalidInput as error:
            return refusal(400, error.message)
        except Exception:
            logger.exception("%s %s", request.method, request.url.path)
            # The client tries nothing again but 429; a fault of ours must not end a model that could go on in a moment.
            status = 500 if request.method == "GET" else 429
            return refusal(status, "The service has a fault; its log has the reason")
        if isinstance(answer, Response):
            return answer
        if answer is None or (request.method != "GET" and request.headers.get("x-response-content") == "skip"):
            return Response(status_code=204)
        return Response(json.dumps(answer, separators=(",", ":")), media_type="application/json")

    return handle


def refusal(status: int, message: str) -> Response:
    """An error's answer."""
    headers = {"WWW-Authenticate": "Basic"} if status == 401 else None
    return Response(json.dumps({"message": message, "status": status}), status, headers, "application/json")


def check_token(request: Request, token: str) -> None:
    """Let the one token pass: HTTP Basic with the token as the user, or Bearer."""
    scheme, _, value = (request.headers.get("authorization") or "").partition(" ")
    given = ""
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(value, validate=True).decode().partition(":")[0]
        except ValueError:
            raise ApiError(401, "The authorization header is no HTTP Basic authorization") from None
    elif scheme.lower() == "bearer":
        given = value.strip()
    if not given:
        raise ApiError(401, "A token is needed: HTTP Basic authorization with the token as the user name")
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise ApiError(403, "This token is not known here")


async def read(request: Request) -> bytes:
    """The body, up to 32 MiB."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST_BODY:
            raise BadRequest(f"The body is larger than {LARGEST_BODY} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def parse(body: bytes) -> dict[str, Any]:
    """A JSON object; nothing is an empty one. Raises `BadRequest` for NaN, keys that are there twice, and NUL."""
    if not body.strip():
        return {}
    try:
        data = json.loads(body.decode(), object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"Invalid JSON: {error}") from None
    if b"\\u0000" in body and "\\u0000" in json.dumps(data):
        raise BadRequest("Invalid JSON: it holds a NUL character")
    if not isinstance(data, dict):
        raise BadRequest("Expected a JSON object")
    return data


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError(f"the key {next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)!r} is there twice")
    return result


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def query(request: Request) -> dict[str, Any]:
    """The query's arguments: lists and objects come as JSON, truth values as Python or JSON writes them."""
    result: dict[str, Any] = {}
    for key, value in request.query_params.items():
        if value[:1] in "[{":
            try:
                result[key] = json.loads(value)
            except ValueError:
                raise BadRequest(f"Invalid JSON in the argument {key}") from None
        else:
            result[key] = {"true": True, "false": False}.get(value.lower(), value)
    return result
