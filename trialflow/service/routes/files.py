"""Files of training runs: announced with the token, then sent to and fetched from signed addresses that need none."""

import asyncio
import base64
import re
import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from trialflow.launcher.journal import Journal
from trialflow.service import serializers, validation
from trialflow.service.errors import BadRequest
from trialflow.service.requests import Call, read_body
from trialflow.service.service import Service
from trialflow.service.store import runs as run_store
from trialflow.service.store.rows import change, find
from trialflow.service.store.schema import files
from trialflow.service.transport import Answer, Handler, refusing

LARGEST_FILE = 32 << 20
MOST_OF_MODEL = Journal.files_bytes
"""Bytes of all files that the model of a training run may log, by way of its launcher or not."""
UPLOAD_SECONDS = 300.0
CONTENT_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*(;\s*[A-Za-z0-9_-]+=[A-Za-z0-9_.+-]+)*")
SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
"""A browser saves the file; should it show it after all, nothing in it is executed."""


async def create(call: Call) -> Answer:
    """POST /training_runs/{id}/files: announce a file, and be told where to send it."""
    validation.known_keys(call.body, ("content_length", "content_md5", "content_type", "name", "filename", "object"))
    values = {
        "name": None if call.body.get("name") is None else validation.name(call.body["name"], ".name"),
        "filename": None if call.body.get("filename") is None else validation.name(call.body["filename"], ".filename", 500),
        "content_type": _content_type(call.body.get("content_type")),
        "content_length": validation.integer(call.body.get("content_length"), ".content_length", most=LARGEST_FILE),
        "content_md5": _digest(call.body.get("content_md5")),
    }
    most = MOST_OF_MODEL if call.model is not None else None
    row = await call.do(lambda connection: run_store.add_file(connection, call.path["id"], values, most=most))
    return serializers.upload(row, _link(call, row, "PUT"))


async def get(call: Call) -> Answer:
    """GET /files/{id}: where to fetch it."""
    row = await call.do(lambda connection: find(connection, files, call.path["id"]))
    return serializers.download(row, _link(call, row, "GET"))


def upload_handlers(service: Service) -> dict[str, Handler]:
    """What answers at the signed addresses, by method."""

    async def receive(request: Request) -> Response:
        row = await checked(request, "PUT")
        content = await read_body(request, LARGEST_FILE, UPLOAD_SECONDS)
        await asyncio.to_thread(service.files.write, row, content)
        await service.store.do(lambda connection: change(connection, files, row["id"], {"uploaded": True}))
        return Response(status_code=200)

    async def send(request: Request) -> Response:
        row = await checked(request, "GET")
        name = row["filename"] or row["name"] or f"file-{row['id']}"
        return FileResponse(service.files.path(row), media_type=row["content_type"], headers=SAFE, filename=name)

    async def checked(request: Request, method: str) -> dict[str, Any]:
        identifier = request.path_params["id"]
        service.files.check(method, identifier, request.query_params, time.time())
        return await service.store.do(lambda connection: find(connection, files, identifier))

    return {"PUT": refusing(receive), "GET": refusing(send)}


def _link(call: Call, row: Mapping[str, Any], method: str) -> dict[str, Any]:
    base = str(call.request.base_url).rstrip("/") + call.request.url.path.partition("/v1/")[0]
    url = f"{base}/v1/uploads/{row['id']}?{call.service.files.signed(method, str(row['id']), time.time())}"
    return {"object": "link", "url": url, "method": method, "headers": {"Content-Type": row["content_type"]} if method == "PUT" else {}}


def _content_type(given: Any) -> str:
    content_type = validation.name(given, ".content_type")
    if CONTENT_TYPE.fullmatch(content_type) is None:
        raise BadRequest(f"Invalid value for .content_type: {validation.excerpt(content_type)} - expected type/subtype")
    return content_type


def _digest(given: Any) -> str:
    digest = validation.name(given, ".content_md5", 32)
    try:
        if len(base64.b64decode(digest, validate=True)) != 16:
            raise ValueError
    except ValueError:
        raise BadRequest("Invalid value for .content_md5: expected the base64 of an MD5 digest") from None
    return digest


ROUTES = [
    ("POST", "/training_runs/{id}/files", create),
    ("GET", "/files/{id}", get),
]
