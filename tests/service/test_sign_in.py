"""Whose process is connected, as the kernel's table says."""

from pathlib import Path

import pytest

from trialflow.service.sign_in import STRANGER, user_of

ENDING = "   1: 0100007F:9C40 0100007F:1F90 06 00000000:00000000 03:0000176F 00000000     0        0 0 3 0000000000000000"
ELSEWHERE = "   2: 0100007F:9C40 0100007F:1F91 01 00000000:00000000 00:00000000 00000000     0        0 71 1 0000000000000000"
SERVER = "   3: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 72 1 0000000000000000"
CLIENT = "   4: 0100007F:9C40 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 65534        0 73 1 0000000000000000"


@pytest.mark.parametrize(
    ("lines", "user"),
    [
        ([ENDING, ELSEWHERE, SERVER, CLIENT], 65534),
        ([ENDING, ELSEWHERE, SERVER], STRANGER),
        ([], STRANGER),
    ],
)
def test_only_the_living_connection_to_the_service_tells_the_user(lines: list[str], user: int, tmp_path: Path) -> None:
    table = tmp_path / "tcp"
    table.write_text("\n".join(["heading", *lines]))
    assert user_of("127.0.0.1", 40000, 8080, (table,)) == user


def test_without_a_table_nobody_knows(tmp_path: Path) -> None:
    assert user_of("127.0.0.1", 40000, 8080, (tmp_path / "none",)) is None
