"""What an error of a client of some server comes from, in words for people."""

import os


def cause_of(error: BaseException) -> str:
    """The system's words (`Connection refused`), if there is an error of the system anywhere behind this one; else its own."""
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, OSError) and one.strerror:
            # asyncio's own words name a call; those of names that are not found have negative numbers.
            return os.strerror(one.errno) if one.errno and one.errno > 0 else one.strerror
        waiting += [*getattr(one, "exceptions", ()), *(behind for behind in (one.__context__, one.__cause__) if behind)]
    return str(error) or type(error).__name__
