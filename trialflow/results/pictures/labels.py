"""Foreign text in pictures: plotly takes tags, entities and templates in a text for its own, and draws any length of it."""

import html
import re
from functools import lru_cache
from typing import Any

from trialflow.results.text import clean, text_of

LONGEST = 60


def label(value: Any, longest: int = LONGEST) -> str:
    """A name or value of somebody else as plotly draws it: as it is, on one line, shortened in the middle."""
    return _drawn(value, longest) if isinstance(value, str) else html.escape(text_of(value), quote=False)


@lru_cache(4096)
def _drawn(text: str, longest: int) -> str:
    text = clean(" ".join(text.split()))
    if len(text) > longest:
        text = text[: longest // 2] + "…" + text[-(longest // 2 - 1) :]
    return html.escape(text, quote=False)


def plain(value: str) -> str:
    """A name of somebody else as a page or a terminal shows it in a sentence: on one line, and without what reorders or hides text."""
    return clean(" ".join(value.split()))


def slug(*parts: str) -> str:
    """A part of a file's name: lower-case letters, digits and dashes of some words."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")[:80] or "picture"
