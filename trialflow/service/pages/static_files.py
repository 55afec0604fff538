"""Scripts and styles: our own, and the plotly.js that plotly's wheel brings. They say nothing of anybody, so they need no cookie."""

import asyncio
import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from trialflow.results.pictures import STATIC, plotly_script
from trialflow.service.errors import NotFound

TYPES = {".js": "text/javascript", ".css": "text/css"}
EAGER = b"//# allFunctionsCalledOnLoad\n"
"""Has Chromium compile all of plotly.js in the background as it comes in. Otherwise it does so when plotly begins, and answers no click meanwhile."""


@lru_cache(1)
def files() -> dict[str, Path]:
    """The files by their names."""
    ours = [*(Path(__file__).parent / "static").iterdir(), *STATIC.iterdir()]
    return {path.name: path for path in (*ours, plotly_script()) if path.suffix in TYPES}


@lru_cache(1)
def version() -> str:
    """Changes whenever one of the files does: addresses with it can be kept by browsers for ever."""
    facts = [(name, path.stat().st_size, path.stat().st_mtime_ns) for name, path in sorted(files().items())]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


@lru_cache(8)
def content(name: str, is_packed: bool) -> bytes:
    """What is sent of a file, compressed where the browser takes that: plotly.js is three times as large otherwise."""
    if is_packed:
        return gzip.compress(content(name, False), 1, mtime=0)
    path = files()[name]
    return (EAGER if path == plotly_script() else b"") + path.read_bytes()


async def send_file(request: Request) -> Response:
    """GET /static/{version}/{name}."""
    name = request.path_params["name"]
    if name not in files():
        raise NotFound("file", name)
    is_current = request.path_params["version"] == version()
    is_packed = "gzip" in request.headers.get("accept-encoding", "")
    kept = {
        "Cache-Control": "public, max-age=31536000, immutable" if is_current else "no-cache",
        "Vary": "Accept-Encoding",
        **({"Content-Encoding": "gzip"} if is_packed else {}),
    }
    return Response(await asyncio.to_thread(content, name, is_packed), media_type=TYPES[files()[name].suffix], headers=kept)
