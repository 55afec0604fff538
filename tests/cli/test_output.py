"""What a command shows has four formats."""

import json
from typing import Any

import pytest
import yaml

from trialflow.cli.terminal.output import show

DATA = [{"id": "1", "values": {"y": 0.1}, "name": "ä\x1b[31m"}, {"id": "2", "values": {}, "name": ""}]
SHOWN: dict[str, Any] = {"names": ["one", "two\x1b[31m"], "columns": ["ID", "NAME"], "rows": [["1", "ä\x1b[31m"], ["2", ""]]}


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load), ("name", str.splitlines), ("table", str.splitlines)])
def test_programs_read_all_of_it_and_people_names_or_a_table_without_control_characters(
    output: str, read: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    show(DATA, output=output, **SHOWN)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    if output in ("json", "yaml"):
        assert read(out) == DATA
    else:
        lines = [line.split() for line in read(out)]
        assert lines == ([["one"], ["two\\x1b[31m"]] if output == "name" else [["ID", "NAME"], ["1", "ä\\x1b[31m"], ["2", "-"]])
