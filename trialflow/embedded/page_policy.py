"""What our Prefect server adds to Prefect's application: a browser that shows its UI asks no other host."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application."""

POLICY = (b"content-security-policy", b"connect-src 'self'; frame-ancestors 'self'")
"""The UI asks an analytics service for its configuration even where analytics are switched off."""


def asking_nobody_else(application: Application) -> Application:
    """The application with a policy on its pages that keeps what runs on them at the server's own address."""

    async def answer(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in headers):
                    message = {**message, "headers": [*headers, POLICY]}
            await send(message)

        await application(scope, receive, send_with_policy if scope["type"] == "http" else send)

    return answer
