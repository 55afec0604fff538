"""Files of training runs: uploaded to and downloaded from signed addresses that expire, kept in a folder."""

import base64
import hashlib
import hmac
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from trialflow.service.errors import ApiError
from trialflow.service.store.rows import change, find
from trialflow.service.store.schema import files
from trialflow.service.transport import read, refusal

if TYPE_CHECKING:
    from trialflow.service.store import StoreThread

LARGEST_FILE = 32 << 20
VALID_SECONDS = 900


class FileStore:
    """The contents of files, in `folder`; their rows are in the store."""

    def __init__(self, folder: Path, store: "StoreThread", secret: str) -> None:
        self._folder = folder
        self._store = store
        self._secret = hashlib.sha256(b"files:" + secret.encode()).digest()

    def link(self, request: Request, row: Mapping[str, Any], method: str) -> dict[str, Any]:
        """Where to PUT or GET a file: url, method and headers. It needs no token and is valid for 15 minutes."""
        expires = str(int(time.time()) + VALID_SECONDS)
        base = str(request.base_url).rstrip("/") + request.url.path.partition("/v1/")[0]
        url = f"{base}/v1/uploads/{row['id']}?expires={expires}&signature={self._sign(method, str(row['id']), expires)}"
        return {"object": "link", "url": url, "method": method, "headers": {"Content-Type": row["content_type"]} if method == "PUT" else {}}

    async def receive(self, request: Request) -> Response:
        """Take an upload: its length and MD5 are those that were announced."""
        try:
            row = await self._row(request, "PUT")
            body = await read(request)
            digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
            if len(body) != row["content_length"] or digest != row["content_md5"]:
                raise ApiError(400, f"{len(body)} bytes with MD5 {digest} came, {row['content_length']} with {row['content_md5']} were announced")
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self._folder / f"{row['id']}.new"
            temporary.write_bytes(body)
            os.replace(temporary, self._folder / str(row["id"]))
            await self._store.do(lambda connection: change(connection, files, row["id"], {"uploaded": True}))
        except ApiError as error:
            return refusal(error.status, error.message)
        except OSError as error:
            return refusal(429, f"The file cannot be kept now: {error.strerror}")
        return Response(status_code=200)

    async def send(self, request: Request) -> Response:
        """Give a file."""
        try:
            row = await self._row(request, "GET")
        except ApiError as error:
            return refusal(error.status, error.message)
        path = self._folder / str(row["id"])
        if not path.exists():
            return refusal(404, f"The file {row['id']} was never uploaded")
        return FileResponse(path, media_type=row["content_type"], headers={"X-Content-Type-Options": "nosniff"})

    async def _row(self, request: Request, method: str) -> dict[str, Any]:
        identifier, expires = request.path_params["id"], request.query_params.get("expires", "")
        if not hmac.compare_digest(self._sign(method, identifier, expires), request.query_params.get("signature", "")):
            raise ApiError(403, "The signature of this address is wrong")
        if not expires.isdigit() or int(expires) < time.time():
            raise ApiError(403, "This address has expired")
        return await self._store.do(lambda connection: find(connection, files, identifier))

    def _sign(self, method: str, identifier: str, expires: str) -> str:
        return hmac.new(self._secret, f"{method}:{identifier}:{expires}".encode(), hashlib.sha256).hexdigest()
