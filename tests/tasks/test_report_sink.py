"""What a model logged reaches the service exactly once."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tasks.compute import Report
from tasks.experiments.client import ServiceClient, ServiceNotFound, ServiceRefused, ServiceUnavailable
from tasks.experiments.report_sink import ReportSink
from trialflow.merging import folded

GAVE_UP = "the service has refused 20 reports of the kind merge: the rest was dropped"


class Service:
    """Keeps what it is sent; `fail` numbers the requests that store and then lose their answer."""

    def __init__(self) -> None:
        self.checkpoints: list[Any] = []
        self.merges: list[Any] = []
        self.files: list[Any] = []
        self.refused = 0
        self.lose_answers = 0

    async def run(self, run_id: str) -> dict[str, Any]:
        return {"checkpoint_count": len(self.checkpoints)}

    async def log_checkpoint(self, run_id: str, body: Any) -> None:
        self.checkpoints.append(body)
        if self.lose_answers:
            self.lose_answers -= 1
            raise ServiceUnavailable("gone")

    async def stored_files(self, run_id: str) -> list[Any]:
        return list(self.files)

    async def add_file(self, run_id: str, about: Any, content: bytes) -> None:
        self.files.append({**about, "content": content})

    async def merge_run(self, run_id: str, body: Any) -> None:
        if "bad" in body or "bad" in body.get("metadata", {}):
            self.refused += 1
            raise ServiceRefused("no", status=400)
        self.merges.append(body)


def sink(service: Service, *, earlier: int = 0, warnings: list[str] | None = None) -> ReportSink:
    return ReportSink(service, "1", earlier_checkpoints=earlier, warn=(warnings if warnings is not None else []).append)  # type: ignore[arg-type]


def checkpoints(*numbers: int) -> list[Report]:
    return [Report(number, "checkpoint", {"n": number}) for number in numbers]


async def test_a_sink_that_starts_again_sends_no_checkpoint_twice() -> None:
    service = Service()
    await sink(service).apply(checkpoints(1, 2))
    await sink(service).apply(checkpoints(1, 2, 3))
    assert [one["n"] for one in service.checkpoints] == [1, 2, 3]


async def test_the_checkpoints_that_the_service_has_are_returned_sent_now_or_before() -> None:
    service = Service()
    await sink(service).apply(checkpoints(1, 2))
    again = sink(service)
    assert await again.apply(checkpoints(1, 2, 3)) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert await again.apply(checkpoints(1, 2, 3, 4)) == [{"n": 4}]


async def test_an_answer_that_got_lost_is_looked_up() -> None:
    service = Service()
    one = sink(service)
    await one.apply(checkpoints(1))
    service.lose_answers = 1
    try:
        await one.apply(checkpoints(2, 3))
    except ServiceUnavailable:
        await one.apply(checkpoints(2, 3))
    await one.apply(checkpoints(4))
    assert [one["n"] for one in service.checkpoints] == [1, 2, 3, 4]


async def test_checkpoints_of_earlier_attempts_do_not_count() -> None:
    service = Service()
    service.checkpoints = ["old", "old"]
    await sink(service, earlier=2).apply(checkpoints(1))
    assert len(service.checkpoints) == 3


async def test_merges_that_follow_each_other_are_sent_as_one() -> None:
    service = Service()
    bodies = [{"values": {"a": {"value": 1}}}, {"values": {"b": {"value": 2}}}, {"values": {"a": {"value": 3}}}]
    await sink(service).apply([Report(number, "merge", body) for number, body in enumerate(bodies, 1)])
    assert service.merges == [{"values": {"a": {"value": 3}, "b": {"value": 2}}}]


async def test_one_refused_report_does_not_take_the_others_with_it() -> None:
    service = Service()
    warnings: list[str] = []
    await sink(service, warnings=warnings).apply([Report(1, "merge", {"bad": 1}), Report(2, "merge", {"metadata": {"a": 1}})])
    assert service.merges == [{"metadata": {"a": 1}}]
    assert warnings == ["what the model logged was refused: no"]


def test_a_later_value_of_another_kind_replaces_an_earlier_one() -> None:
    assert folded([{"a": {"b": 1}}, {"a": None}, {"a": {"c": 2}}]) == {"a": {"c": 2}}


async def test_the_flows_client_tells_what_can_be_tried_again_from_what_never_will_be_taken() -> None:
    statuses = {200: None, 400: ServiceRefused, 404: ServiceNotFound, 429: ServiceUnavailable, 500: ServiceRefused, 503: ServiceUnavailable}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = ServiceClient(f"http://127.0.0.1:{server.server_address[1]}", "token")
    client._driver.timeout = 0.2  # the client itself repeats a 429 for so long
    try:
        for status, error in statuses.items():
            if error is None:
                await client.merge_run(str(status), {})
            else:
                with pytest.raises(error):
                    await client.merge_run(str(status), {})
        with pytest.raises(ServiceRefused, match="cannot be sent"):
            await client.merge_run("200", {"values": {"y": {"value": float("nan")}}})
    finally:
        client.close()
        server.shutdown()
        server.server_close()


async def test_many_refusals_cost_no_time() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = ServiceClient(f"http://127.0.0.1:{server.server_address[1]}", "token")
    pauses: list[float] = []
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sigopt.ratelimit.time.sleep", pauses.append)
            for _ in range(12):
                with pytest.raises(ServiceRefused):
                    await client.merge_run("400", {})
    finally:
        client.close()
        server.shutdown()
        server.server_close()
    assert not pauses


class Answers(BaseHTTPRequestHandler):
    """Answers every request for a training run with the status that is its id."""

    def do_MERGE(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(int(self.path.rpartition("/")[2]))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


async def test_a_file_reaches_the_service_once_whoever_is_killed_in_between() -> None:
    service = Service()
    reports = [Report(1, "file", {"name": "a", "content_type": "image/png", "content": "eHl6"})]
    await sink(service).apply(reports)
    await sink(service).apply(reports)
    assert [(one["name"], one["content"], one["content_length"]) for one in service.files] == [("a", b"xyz", 3)]


async def test_one_refused_value_does_not_take_the_others_of_its_report_with_it() -> None:
    service = Service()
    await sink(service).apply([Report(1, "merge", {"metadata": {"bad": 1, "a": 1}, "values": {"m": {"value": 1}}})])
    assert service.merges == [{"metadata": {"a": 1}}, {"values": {"m": {"value": 1}}}]


async def test_what_is_refused_again_and_again_is_no_longer_sent() -> None:
    service, warnings = Service(), []
    one = sink(service, warnings=warnings)
    for number in range(1, 200):
        await one.apply([Report(number, "merge", {"bad": number})])
    assert service.refused < 250 and warnings == ["what the model logged was refused: no", GAVE_UP]


async def test_checkpoints_end_at_the_limit_without_a_refusal() -> None:
    service, warnings = Service(), []
    await sink(service, warnings=warnings).apply(checkpoints(*range(1, 500)))
    assert len(service.checkpoints) == 200 and warnings == ["a training run has at most 200 checkpoints: the rest was dropped"]
