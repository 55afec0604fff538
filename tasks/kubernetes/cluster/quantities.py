"""Kubernetes quantities as exact numbers, and back as words for people."""

import re
from decimal import Decimal

from trialflow.specs.resources import GPU

BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
GRAMMAR = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?:(?P<suffix>[KMGTPE]i|[numkMGTPE]?)|[eE](?P<exponent>[+-]?\d+))")
"""https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/"""

GIB = 1024**3


def exact(quantity: str | int | float) -> Decimal:
    """The number that a quantity such as `500m`, `1.5Gi`, `1e3` or 2 stands for: CPUs, bytes or pieces. Raises ValueError."""
    match = GRAMMAR.fullmatch(str(quantity))
    if match is None:
        raise ValueError(f"{quantity!r} is no Kubernetes quantity")
    number = Decimal(match["number"])
    if match["exponent"] is not None:
        return number.scaleb(int(match["exponent"]))
    suffix = match["suffix"]
    return number * 1024 ** BINARY[suffix] if suffix in BINARY else number.scaleb(DECIMAL[suffix])


def is_bytes(resource: str) -> bool:
    """Whether amounts of this resource are bytes."""
    return resource in ("memory", "ephemeral-storage", "storage") or resource.startswith("hugepages-")


def figure(resource: str, amount: Decimal, digits: int = 1) -> str:
    """The amount as a bare figure for a table: GiB for bytes, else CPUs or pieces, without trailing zeros but for GiB."""
    if is_bytes(resource):
        return f"{amount / GIB:.{digits}f}"
    text = f"{amount:.{max(digits, 3)}f}"
    return text.rstrip("0").rstrip(".")


def in_words(resource: str, amount: Decimal, digits: int = 1) -> str:
    """The amount with its unit: `1.5 CPU`, `12.0 GiB`, `2 GPUs`, `3 example.com/thing`."""
    text = figure(resource, amount, digits)
    if is_bytes(resource):
        return f"{text} GiB" if resource == "memory" else f"{text} GiB of {resource}"
    if resource == GPU:
        return f"{text} GPU" if amount == 1 else f"{text} GPUs"
    return f"{text} {'CPU' if resource == 'cpu' else resource}"


def compared(resource: str, left: Decimal, right: Decimal) -> tuple[str, str]:
    """Both amounts in words, with as many digits as it takes to see that they differ."""
    for digits in range(1, 10):
        words = in_words(resource, left, digits), in_words(resource, right, digits)
        if words[0] != words[1]:
            break
    return words
