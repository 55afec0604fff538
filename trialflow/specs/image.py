"""References of container images: `[registry[:port]/]path[:tag][@digest]`."""

import re

from pydantic_core import PydanticCustomError

_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
REFERENCE = re.compile(
    rf"(?:(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?"  # registry
    rf"{_PART}(?:/{_PART})*"  # repository
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"  # tag
    r"(?:@(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}))?"  # digest
)
"""The grammar of github.com/distribution/reference."""
LONGEST = 255


def check_image(image: str) -> str:
    """`image` as it is. Raises `PydanticCustomError` if no container engine would take it."""
    if len(image) <= LONGEST + 200 and REFERENCE.fullmatch(image):
        return image
    lower = image.lower()
    how = f"; names are in lower case: {lower}" if lower != image and REFERENCE.fullmatch(lower) else ""
    raise PydanticCustomError("image", "expected an image such as registry.example.com:5000/team/model:tag{how}", {"how": how})
