"""Templates, and what all of them can use. Whatever is put into a template is text: Jinja2 escapes it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from trialflow.results.text import clean, counted, duration, text_of

LONGEST = 200


def root_of(path: str) -> str:
    """The way from a page to the first one, as a relative address: it is right behind any prefix."""
    return "../" * (path.strip("/").count("/")) or "./"


def short(value: Any, longest: int = LONGEST) -> str:
    """A value on one line, shortened."""
    text = text_of(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def when(seconds: float | None) -> str:
    """A time in UTC, to the second."""
    return "-" if not seconds else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def long_text(value: Any) -> str:
    """Text of several lines without anything that reorders or hides it."""
    return clean(str(value))


templates = Environment(
    loader=PackageLoader("trialflow.service.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
templates.filters.update(short=short, counted=counted, when=when, duration=duration, long_text=long_text)


def part(name: str, shown: Mapping[str, Any]) -> str:
    """A piece of a page as HTML."""
    return templates.get_template(name).render(shown)


def render(request: Request, name: str, shown: Mapping[str, Any], *, status: int = 200) -> HTMLResponse:
    """A whole page."""
    return HTMLResponse(part(name, {"root": root_of(request.scope["path"]), **shown}), status)
