"""The contents of training runs' files, kept in a folder, and the signatures of the addresses where they are sent and fetched."""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialflow.service.errors import ApiError, BadRequest, Busy, NotFound

VALID_SECONDS = 900


class FileStore:
    """Files in `folder`, named by their ids. An address is signed for one method and one file, and expires after 15 minutes."""

    def __init__(self, folder: Path, secret: str) -> None:
        self._folder = folder
        self._secret = hashlib.sha256(b"files:" + secret.encode()).digest()

    def signed(self, method: str, identifier: str, now: float) -> str:
        """The query of an address that is valid from `now` on."""
        expires = str(int(now) + VALID_SECONDS)
        return f"expires={expires}&signature={self._sign(method, identifier, expires)}"

    def check(self, method: str, identifier: str, query: Mapping[str, str], now: float) -> None:
        """Raise a 403 unless an address is signed for this and has not expired."""
        expires, signature = query.get("expires", ""), query.get("signature", "")
        if not hmac.compare_digest(self._sign(method, identifier, expires).encode(), signature.encode(errors="replace")):
            raise ApiError(403, "The signature of this address is wrong")
        if int(expires) < now:
            raise ApiError(403, "This address has expired")

    def write(self, row: Mapping[str, Any], content: bytes) -> None:
        """Keep a file's content. Raises `BadRequest` if it is not what was announced, `Busy` if it cannot be written."""
        digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        if len(content) != row["content_length"] or digest != row["content_md5"]:
            announced = f"{row['content_length']} bytes with MD5 {row['content_md5']} were announced"
            raise BadRequest(f"{len(content)} bytes with MD5 {digest} arrived, {announced}")
        temporary = self._folder / f"{row['id']}.new"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_bytes(content)
            os.replace(temporary, self._folder / str(row["id"]))
        except OSError as error:
            raise Busy(f"The file cannot be stored now: {error.strerror}") from error

    def path(self, row: Mapping[str, Any]) -> Path:
        """Where a file's content is. Raises a 404 if it was never sent."""
        path = self._folder / str(row["id"])
        if not path.exists():
            raise NotFound("uploaded file", row["id"])
        return path

    def _sign(self, method: str, identifier: str, expires: str) -> str:
        return hmac.new(self._secret, f"{method}:{identifier}:{expires}".encode(errors="replace"), hashlib.sha256).hexdigest()
