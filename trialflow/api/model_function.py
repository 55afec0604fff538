"""A Python function on its way to the processes that call it: pickled by value, beside the home's other files, for as long as it is needed."""

import inspect
import os
import pickle
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from trialflow.errors import InvalidInput
from trialflow.home import Home


@contextmanager
def sent_function(function: Callable[..., Any]) -> Iterator[dict[str, str]]:
    """The `file` with the function, and the `python` that can call it. Raises `InvalidInput` if it takes no assignments or cannot be sent.

    The file is there until the work has ended; after a second interrupt it stays, for training runs that were left.
    """
    check_signature(function)
    home = Home.from_environment()
    file = home.make(home.root / "functions") / f"{secrets.token_hex(8)}.pickle"
    file.touch(mode=0o600)
    file.write_bytes(pickled(function))
    is_left = False
    try:
        yield {"file": str(file), "python": sys.executable}
    except LeftRunning:
        is_left = True
        raise
    finally:
        if not is_left:
            file.unlink(missing_ok=True)


class LeftRunning(KeyboardInterrupt):
    """A second interrupt: training runs were left running."""


def pickled(function: Callable[..., Any]) -> bytes:
    """The function and where its modules are found. What is defined in the notebook goes along, what is imported is imported again."""
    import cloudpickle

    try:
        sent = cloudpickle.dumps(function)
    except Exception as error:  # noqa: BLE001 - whatever the objects it holds raise
        raise InvalidInput(
            f"the function {name_of(function)} cannot be sent to another process: {error}",
            hint="open files, connections and locks inside of the function, so that each training run has its own",
        ) from error
    return pickle.dumps({"path": [os.path.abspath(entry) for entry in sys.path], "function": sent})


def check_signature(function: Callable[..., Any]) -> None:
    """Raise `InvalidInput` unless the function can be called with the assignments alone."""
    try:
        inspect.signature(function).bind({})
    except TypeError as error:
        raise InvalidInput(
            f"the function {name_of(function)} cannot be called with the assignments alone: {error}",
            hint="it gets them as one dict, as in `def train(params): return params['x'] ** 2`",
        ) from error
    except ValueError:
        pass  # a function without a signature of its own, such as a builtin
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise InvalidInput(f"the function {name_of(function)} is a coroutine or a generator", hint="give a plain function that returns its metrics")


def name_of(function: Callable[..., Any]) -> str:
    """The name of a function for people."""
    return getattr(function, "__name__", type(function).__name__)
