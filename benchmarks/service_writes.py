"""Writes to the service: `log_metric` requests per second from 8 clients over SQLite, with an empty service and with 10,000 training runs in it.

    python -m benchmarks.service_writes [--clients 8] [--seconds 10]

The yardsticks are the same clients on a route that does nothing (`GET /health`), and commits of single rows to a SQLite file in WAL mode, one after
the other.
"""

import argparse
import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import table


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        reader, writer = os.pipe()
        command = [sys.executable, "-m", "trialflow.service", "--home", home]
        environment = {**os.environ, "TRIALFLOW_READY_FD": str(writer)}
        with subprocess.Popen(command, env=environment, pass_fds=[writer], stderr=subprocess.DEVNULL) as service:
            os.close(writer)
            with os.fdopen(reader) as announced:
                url = json.loads(announced.readline())["url"]
            token = (Path(home) / "token").read_text().strip()
            rows = [row("GET /health, nothing done", load(url, token, asked, "health"))]
            rows.append(row("log_metric, few training runs", load(url, token, asked, "merge")))
            fill(url, token, 10_000)
            rows.append(row("log_metric, 10,000 training runs", load(url, token, asked, "merge")))
            service.terminate()
        rows.append(["SQLite, one row per commit", f"{bare_sqlite(home):.0f}", "", ""])
    print(table([f"{asked.clients} clients", "per second", "refused", "p95 ms"], rows))


def row(name: str, result: tuple[float, int, float]) -> list[str]:
    return [name, f"{result[0]:.0f}", str(result[1]), f"{result[2]:.0f}"]


def load(url: str, token: str, asked: argparse.Namespace, kind: str) -> tuple[float, int, float]:
    """Requests per second, the number that failed, and the 95th percentile of their time in milliseconds."""
    with multiprocessing.get_context("spawn").Pool(asked.clients) as pool:
        results = pool.starmap(client, [(url, token, asked.seconds, kind, number) for number in range(asked.clients)])
    times = sorted(moment for taken, _ in results for moment in taken)
    return len(times) / asked.seconds, sum(refused for _, refused in results), 1000 * times[int(0.95 * len(times))]


def client(url: str, token: str, seconds: float, kind: str, number: int) -> tuple[list[float], int]:
    """One process that sends requests for `seconds`: their times, and how many of them failed."""
    os.environ["SIGOPT_PROJECT"] = "default"
    import requests
    from sigopt.request_driver import RequestDriver

    session = requests.Session()
    driver = RequestDriver(client_token=token, api_url=url)
    run = driver.request("POST", ["clients", "1", "projects", "default", "training_runs"], {"name": f"client {number}"}, None)["id"]
    times, refused = [], 0
    until = time.monotonic() + seconds
    while (begin := time.monotonic()) < until:
        if kind == "health":
            refused += session.get(f"{url}/health").status_code != 200
        else:
            body = {"values": {"metric": {"value": begin}}}
            try:
                driver.request("MERGE", ["training_runs", run], body, {"X-Response-Content": "skip"})
            except Exception:
                refused += 1
        times.append(time.monotonic() - begin)
    return times, refused


def fill(url: str, token: str, count: int) -> None:
    """Create `count` training runs in the service."""
    import requests

    runs = [{"name": f"run {number}", "values": {"metric": {"value": number}}, "state": "completed"} for number in range(1000)]
    for _ in range(count // 1000):
        path = f"{url}/v1/clients/1/projects/default/training_runs/batch"
        requests.post(path, json={"runs": runs, "fields": "id"}, auth=(token, ""), timeout=60).raise_for_status()


def bare_sqlite(folder: str) -> float:
    """Commits of one row per second."""
    connection = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
    connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE t (id INTEGER PRIMARY KEY, data TEXT)")
    begin, count = time.monotonic(), 0
    while time.monotonic() - begin < 3:
        connection.execute("INSERT INTO t (data) VALUES (?)", (json.dumps({"value": count}),))
        count += 1
    return count / (time.monotonic() - begin)


if __name__ == "__main__":
    main()
