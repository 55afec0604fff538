"""Whatever happens to the standard streams, a command goes on to its end and its exit code is its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WRITES = """
import sys
from trialflow.cli.terminal.messages import say
from trialflow.cli.terminal.streams import secure_streams
secure_streams()
opened = open({file!r}, "w")
for number in range(20000):
    print("data", number)
    say(f"message {{number}}")
sys.stdout.flush()
opened.write("at the end")
opened.close()
sys.exit(7)
"""


def shell(folder: Path, redirection: str) -> int:
    file = folder / "opened"
    script = folder / "script.py"
    script.write_text(WRITES.format(file=str(file)))
    line = f"{{ {sys.executable} {script} {redirection}; }}"
    code = subprocess.run(["bash", "-c", line], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60).returncode
    assert file.read_text() == "at the end"
    return code


@pytest.mark.parametrize(
    "redirection",
    ["2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-", "| head -1; exit ${PIPESTATUS[0]}", "2>&1 >/dev/null | head -1; exit ${PIPESTATUS[0]}"],
)
def test_a_stream_that_is_closed_or_loses_its_reader_changes_neither_the_work_nor_its_exit_code(redirection: str, tmp_path: Path) -> None:
    assert shell(tmp_path, redirection) == 7


def test_results_that_meet_a_full_disk_are_an_error_of_the_disk() -> None:
    done = subprocess.run(["bash", "-c", f"{sys.executable} -m trialflow schema run > /dev/full"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: there is no room to write: No space left on device\n")


def test_messages_that_meet_a_full_disk_are_dropped(tmp_path: Path) -> None:
    assert shell(tmp_path, "2>/dev/full") == 7


def test_output_of_a_model_that_meets_a_full_disk_is_dropped_with_a_warning() -> None:
    code = "from trialflow.cli.run import Echo; echo = Echo(); echo(b'x' * 100000); echo(b'y'); print('on')"
    code = f"import sys; from trialflow.cli.terminal.streams import secure_streams; secure_streams(); {code.replace('print', 'sys.stderr.write')}"
    done = subprocess.run(["bash", "-c", f'{sys.executable} -c "{code}" > /dev/full'], capture_output=True, text=True, check=False)
    assert done.stderr.startswith("warning: the output of the model can no longer be shown: No space left on device\non")


def test_what_an_encoding_lacks_is_an_escape() -> None:
    code = "from trialflow.cli.terminal.streams import secure_streams; secure_streams(); print('caf\\u00e9 \\u65e5')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.stdout == "caf\\xe9 \\u65e5\n"
