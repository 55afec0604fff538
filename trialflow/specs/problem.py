"""What is wrong in a file, where, and what would be right."""

from collections.abc import Sequence
from dataclasses import dataclass

from trialflow.errors import InvalidInput


@dataclass(frozen=True)
class Problem:
    """One thing wrong. `line` and `column` count from 1; `field` is a path such as `parameters[1].type`; `allowed` may be empty.

    What came from no file has line 0, and the name of what it is in `file`.
    """

    file: str
    line: int
    column: int
    field: str
    found: str
    allowed: str = ""
    suggestion: str | None = None

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        allowed = f"; {self.allowed}" if self.allowed else ""
        meant = f'; did you mean "{self.suggestion}"?' if self.suggestion else ""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {field}{self.found}{allowed}{meant}"


class SpecError(InvalidInput):
    """A file cannot be accepted; `problems` has everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem], *, hint: str | None = None) -> None:
        self.problems = tuple(problems)
        file = self.problems[0].file
        count = f"{len(self.problems)} problems in {file}\n" if len(self.problems) > 1 else ""
        super().__init__(count + "\n".join(map(str, self.problems)), hint=hint)
