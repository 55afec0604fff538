"""The model's source travels as a file's name, and is stored as its text."""

from pathlib import Path

import pytest

from tasks.source import LARGEST, whole_source
from trialflow.errors import InvalidInput


def test_a_file_is_read_where_the_model_is_and_what_is_given_stays(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("caf\u00e9", encoding="utf-8")
    assert whole_source({"file": "model.py", "hash": "abc"}, tmp_path) == {"content": "caf\u00e9", "hash": "abc"}
    assert whole_source({"content": "x"}, tmp_path) == {"content": "x"} and whole_source(None, tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"\xff\xfe", "is not UTF-8 text"), (b"x" * (LARGEST + 1), "at most 0.9 MB are stored")]
)
def test_a_file_that_cannot_be_stored_is_told_with_the_reason(content: bytes | None, reason: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "model").write_bytes(content)
    with pytest.raises(InvalidInput, match=reason):
        whole_source({"file": "model"}, tmp_path)


def test_a_folder_in_the_place_of_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Is a directory"):
        whole_source({"file": "."}, tmp_path)
