"""What can be seen to be wrong with a command before anything is started."""

import difflib
import os
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from trialflow.errors import InvalidInput
from trialflow.specs import shell_text

INTERPRETERS = re.compile(r"^(python[0-9.]*|Rscript|julia|node|ruby|perl|bash|sh)$")
SHELL_SYNTAX = set("|&;<>()$`*?[]{}~#=%\n")


def check_command(command: Sequence[str], directory: Path) -> None:
    """Raise `InvalidInput` if the program of `command`, or the script that it names for an interpreter, is not there.

    A shell line with anything beyond words is left to the shell.
    """
    words = _words(command)
    if not words:
        return
    program, *arguments = words
    if shutil.which(program if "/" not in program else str(directory / program)) is None:
        raise InvalidInput(f"the program {program!r} was not found", hint=_where(program, directory))
    script = arguments[0] if arguments and INTERPRETERS.match(os.path.basename(program)) else None
    if script and not script.startswith("-") and not (directory / script).exists():
        close = difflib.get_close_matches(script, [item.name for item in directory.iterdir()], 1)
        raise InvalidInput(
            f"the script {script!r} is not in {directory}",
            hint=f"did you mean `{close[0]}`?" if close else "check the command or change to its folder",
        )


def _words(command: Sequence[str]) -> list[str]:
    text = shell_text(command)
    if text is None:
        return list(command)
    if SHELL_SYNTAX & set(text):
        return []
    try:
        words = shlex.split(text)
    except ValueError:
        return []
    # `cd`, `exec` and the like are the shell's own: nothing to look for.
    return words if words and (shutil.which(words[0]) or "/" in words[0]) else []


def _where(program: str, directory: Path) -> str:
    if "/" in program:
        exists = (directory / program).exists()
        return f"make it executable: `chmod +x {program}`" if exists else f"it is looked for in {directory}"
    if (directory / program).exists():
        return f"a file of that name is in {directory}: call it as `./{program}`"
    return "install it, or give its full path; it is looked for in PATH"
