"""What happens while an image is made, told to whoever watches it from the same process: the command line draws it."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ImageEvent:
    """One thing that happened.

    `context`: the files are known, `total` bytes are sent. `withheld`: a file that may hold a key is not among them. `heavy`: a line of advice about
    a large context. `step`: `number` of `steps` of the Dockerfile begins, `text` is what it says. `output`: a line that a step printed. `layer`: of
    `layer`, `done` of `total` bytes went up, or came down for a base image; `text` says what is done to it. `found`: an image of the same contents is
    there already, as `text`. `pushing`: to `text`. `pushed`: as `text`. `tagged`: the registry calls it `text` as well.
    """

    kind: Literal["context", "withheld", "heavy", "step", "output", "layer", "found", "pushing", "pushed", "tagged"]
    text: str = ""
    number: int = 0
    steps: int = 0
    layer: str = ""
    done: int = 0
    total: int = 0


OnEvent = Callable[[ImageEvent], None]
image_watcher: ContextVar[OnEvent | None] = ContextVar("image_watcher", default=None)


def tell(event: ImageEvent) -> None:
    """Tell the watcher, if there is one."""
    if (told := image_watcher.get()) is not None:
        told(event)
