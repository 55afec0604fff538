"""The worker of `trialflow up` gets the shell's environment, without what would keep it from reaching a server on loopback."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from trialflow.cli.holding import Holding
from trialflow.home import Home


@pytest.mark.parametrize("owns", [True, False])
def test_a_worker_of_our_own_server_asks_nobody_but_loopback(owns: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent.pem")
    monkeypatch.setenv("MINE", "kept")
    holding = Holding(Home(tmp_path), None, "queue", ExitStack(), print)
    variables = holding._variables("http://127.0.0.1:4200/api", None, owns)
    assert variables["MINE"] == "kept" and variables["TRIALFLOW_HOME"] == str(tmp_path)
    assert ("ALL_PROXY" in variables, "SSL_CERT_FILE" in variables) == (not owns, not owns)
