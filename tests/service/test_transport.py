"""The rules of the transport: tokens, errors, bodies, files, the path prefix."""

import base64
import hashlib
import os
import signal
import sqlite3
import threading
from pathlib import Path

import pytest
import requests
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.service.conftest import ApiException, Running, start
from trialflow.service.migrations import HEAD
from trialflow.service.store.database import MIGRATIONS

RUNS = "clients/1/projects/default/training_runs"


def test_no_token_is_401_and_a_wrong_one_403(service: Running) -> None:
    assert service.raw("GET", "tokens/self", auth=None).status_code == 401
    assert service.raw("GET", "tokens/self", auth=("wrong", "")).status_code == 403
    assert service.raw("GET", "tokens/self", auth=None, headers={"Authorization": "Basic !"}).status_code == 401
    assert service.call("GET", "tokens/self")["client"] == "1"


def test_health_needs_no_token(service: Running) -> None:
    assert requests.get(f"{service.url}/health", timeout=5).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nonsense", 404),
        ("GET", "training_runs/999999999", 404),
        ("GET", "training_runs/abc", 404),
        ("GET", "aiexperiments/999999999", 404),
        ("GET", "clients/2", 404),
        ("GET", "clients/1/projects/nope", 404),
        ("PATCH", "tokens/self", 405),
        ("POST", "clients/1/projects", 400),
    ],
)
def test_every_error_is_a_message_and_a_status(service: Running, method: str, path: str, status: int) -> None:
    assert service.refused(method, path)[0] == status


@pytest.mark.parametrize("body", [b'{"name": NaN}', b'{"name": "a", "name": "b"}', b'{"name": "a\\u0000b"}', b"[1]", b'{"name', b"\xff"])
def test_what_is_no_json_object_is_refused(service: Running, body: bytes) -> None:
    assert service.raw("POST", RUNS, data=body).status_code == 400


@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": "n" * 101}, {"name": "n", "zzz": 1}, {"name": "n", "values": {"m": {"value": "x"}}}, {"name": "n", "state": "done"},
     {"name": "n", "metadata": {"a": True}}, {"name": "n", "metadata": {"a": "v" * 501}}, {"name": "n", "assignments": [1]}],
)  # fmt: skip
def test_a_bad_training_run_is_refused(service: Running, body: dict) -> None:
    assert service.refused("POST", RUNS, body)[0] == 400


def test_a_body_that_is_too_large_is_refused(service: Running) -> None:
    assert service.raw("POST", RUNS, data=b'{"name": "' + b"x" * (33 << 20) + b'"}').status_code == 400


def test_a_write_that_wants_no_answer_gets_none(service: Running) -> None:
    run = service.call("POST", RUNS, {"name": "r"})
    response = service.raw("MERGE", f"training_runs/{run['id']}", json={"metadata": {"a": 1}}, headers={"X-Response-Content": "skip"})
    assert (response.status_code, response.content) == (204, b"")


def test_the_prefix_of_a_self_hosted_server_works(service: Running) -> None:
    response = requests.get(f"{service.url}/api/v1/tokens/self", auth=(service.token, ""), timeout=5)
    assert response.status_code == 200 and requests.get(f"{service.url}/api/health", timeout=5).ok


def test_a_project_is_there_once(service: Running) -> None:
    name = f"p-{service.process.pid}"
    service.call("POST", "clients/1/projects", {"id": name, "name": "x"})
    assert service.refused("POST", "clients/1/projects", {"id": name, "name": "x"})[0] == 409
    assert service.refused("POST", "clients/1/projects", {"id": "Big", "name": "x"})[0] == 400
    with pytest.raises(ApiException):
        service.call("GET", "clients/1/projects/none")


def test_a_file_is_taken_at_its_signed_address_only_as_announced(service: Running) -> None:
    run = service.call("POST", RUNS, {"name": "r"})
    content = b"\x89PNG picture"
    announced = {
        "content_length": len(content),
        "content_md5": base64.b64encode(hashlib.md5(content).digest()).decode(),
        "content_type": "image/png",
        "name": "plot",
    }
    made = service.call("POST", f"training_runs/{run['id']}/files", announced)
    upload = made["upload"]
    assert requests.put(upload["url"], data=b"other", headers=upload["headers"], timeout=5).status_code == 400
    assert requests.put(upload["url"].replace("signature=", "signature=0"), data=content, timeout=5).status_code == 403
    assert requests.put(upload["url"], data=content, headers=upload["headers"], timeout=5).ok
    link = service.call("GET", f"files/{made['id']}")["download"]
    assert requests.get(link["url"], timeout=5).content == content
    assert service.call("GET", f"training_runs/{run['id']}")["files"] == [made["id"]]


def test_the_token_file_is_the_users_alone(service: Running) -> None:
    assert (service.home / "token").stat().st_mode & 0o777 == 0o600


def test_no_acknowledged_write_is_lost_when_it_is_killed(tmp_path: Path) -> None:
    running = start(tmp_path / "home")
    run = running.call("POST", RUNS, {"name": "r"})
    acknowledged = []

    def write() -> None:
        for number in range(100_000):
            try:
                running.call("MERGE", f"training_runs/{run['id']}", {"values": {f"m{number}": {"value": number}}})
            except Exception:
                return
            acknowledged.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    while len(acknowledged) < 50:
        pass
    os.kill(running.process.pid, signal.SIGKILL)
    writer.join(30)
    running.process.wait()
    again = start(tmp_path / "home")
    try:
        values = again.call("GET", f"training_runs/{run['id']}")["values"]
        assert {f"m{number}" for number in acknowledged} <= set(values)
    finally:
        again.process.terminate()
        again.process.wait(10)


def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    running = start(tmp_path / "home")
    running.process.terminate()
    running.process.wait(10)
    file = tmp_path / "home" / "service" / "trialflow.db"
    with sqlite3.connect(file) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RuntimeError, match="was made by a newer trialflow .its version is 9999"):
        start(tmp_path / "home")
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


def test_the_newest_version_is_that_of_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "home" / "service").mkdir(parents=True)
    (tmp_path / "home" / "service" / "trialflow.db").write_text("this is not a database, and it is long enough to be looked at by anyone")
    with pytest.raises(RuntimeError, match="could not be opened: file is not a database"):
        start(tmp_path / "home")


def test_clients_that_write_at_once_are_all_served(service: Running) -> None:
    run = service.call("POST", RUNS, {"name": "r"})

    def write(client: int) -> None:
        for number in range(25):
            service.call("MERGE", f"training_runs/{run['id']}", {"values": {f"m{client}-{number}": {"value": 1}}})

    threads = [threading.Thread(target=write, args=(client,)) for client in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(service.call("GET", f"training_runs/{run['id']}")["values"]) == 200
