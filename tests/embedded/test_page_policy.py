import asyncio
from typing import Any

import pytest

from trialflow.embedded.page_policy import POLICY, asking_nobody_else


@pytest.mark.parametrize(
    ("content_type", "has_policy"), [(b"text/html; charset=utf-8", True), (b"application/json", False), (b"text/javascript", False)]
)
async def test_pages_have_the_policy_and_everything_else_is_as_it_was(content_type: bytes, has_policy: bool) -> None:
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", content_type), (b"x", b"1")]})
        await send({"type": "http.response.body", "body": b"text"})

    async def send(message: Any) -> None:
        sent.append(message)

    await asking_nobody_else(application)({"type": "http"}, asyncio.Event().wait, send)
    assert sent[0]["headers"] == [(b"Content-Type", content_type), (b"x", b"1"), *([POLICY] if has_policy else [])]
    assert sent[1] == {"type": "http.response.body", "body": b"text"}
