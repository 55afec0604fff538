"""Reads what the Docker engine says while it builds and pushes, and tells it on as events; an error among it is raised in words."""

import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from tasks.images.events import ImageEvent, OnEvent
from tasks.images.explaining import LAST_LINES, build_error, push_error

STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
NOISE = (" ---> ", "Removing intermediate container", "Successfully built ", "Successfully tagged ")


class BuildFollower:
    """Reads the classic builder's messages: tells steps and output, raises the error that one of them is."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self.step = ""
        self.printed: deque[str] = deque(maxlen=LAST_LINES)
        self.image_id: str | None = None

    def take(self, message: Mapping[str, Any]) -> None:
        """Take one message. Raises as `build_error` says."""
        if "error" in message or "errorDetail" in message:
            said = (message.get("errorDetail") or {}).get("message") or message.get("error") or ""
            raise build_error(said, step=self.step, printed=[*self.printed])
        if isinstance(aux := message.get("aux"), dict) and aux.get("ID"):
            self.image_id = aux["ID"]
        if message.get("id") and "status" in message:
            self._on_event(layer_event(message))
        text = message.get("stream") or ""
        if match := STEP.match(text):
            self.step = f"step {match[1]}/{match[2]}: {' '.join(match[3].split())}"
            self.printed.clear()
            self._on_event(ImageEvent("step", " ".join(match[3].split()), number=int(match[1]), steps=int(match[2])))
            return
        for line in text.splitlines():
            if not line.strip() or line.startswith(NOISE):
                continue
            self.printed.append(line.rstrip())
            self._on_event(ImageEvent("output", line.rstrip()))


class PushFollower:
    """Reads a push's messages: tells how far each layer is, keeps the digest, raises the error that one of them is."""

    def __init__(self, name: str, on_event: OnEvent) -> None:
        self._name = name
        self._on_event = on_event
        self.digest: str | None = None

    def take(self, message: Mapping[str, Any]) -> None:
        """Take one message. Raises as `push_error` says."""
        if "error" in message or "errorDetail" in message:
            raise push_error((message.get("errorDetail") or {}).get("message") or message.get("error") or "", self._name)
        if isinstance(aux := message.get("aux"), dict) and aux.get("Digest"):
            self.digest = aux["Digest"]
        elif match := re.search(r"digest: (sha256:[0-9a-f]{64})", message.get("status") or ""):
            self.digest = match[1]
        if message.get("id") and "status" in message:
            self._on_event(layer_event(message))


def layer_event(message: Mapping[str, Any]) -> ImageEvent:
    """How far one layer is, in a message of a push or a pull."""
    detail = message.get("progressDetail") or {}
    return ImageEvent(
        "layer", str(message["status"]), layer=str(message["id"]), done=int(detail.get("current") or 0), total=int(detail.get("total") or 0)
    )
