"""Scripts and styles: our own, and the plotly.js that plotly's wheel brings. They say nothing of anybody, so they need no cookie."""

import hashlib
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from trialflow.results.pictures import STATIC, plotly_script
from trialflow.service.errors import NotFound

TYPES = {".js": "text/javascript", ".css": "text/css"}


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


async def send_file(request: Request) -> Response:
    """GET /static/{version}/{name}."""
    path = files().get(request.path_params["name"])
    if path is None:
        raise NotFound("file", request.path_params["name"])
    is_current = request.path_params["version"] == version()
    kept = {"Cache-Control": "public, max-age=31536000, immutable" if is_current else "no-cache"}
    return FileResponse(path, media_type=TYPES[path.suffix], headers=kept)
