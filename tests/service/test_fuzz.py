"""Every route, asked in odd ways: no 5xx, no 429, no exception, nobody waits, and every answer is plain JSON without SQL. Seeded and bounded.

TRIALFLOW_FUZZ_EXAMPLES says how many requests each route gets on each database; 12 by default.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trialflow.home import Home
from trialflow.service.app import create_app
from trialflow.service.origins import Origins
from trialflow.service.routes import ROUTES
from trialflow.service.service import Service
from trialflow.service.serving import open_service

EXAMPLES = int(os.environ.get("TRIALFLOW_FUZZ_EXAMPLES", "12"))
SECONDS = 60
X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
I = {"name": "i", "type": "int", "grid": [1, 2]}  # noqa: E741
TASKS = [{"name": "cheap", "cost": 0.1}, {"name": "full", "cost": 1}]

odd_text = st.one_of(
    st.sampled_from(["", "\0", "a\0b", "\ud800", "\udfff x", "1e400", "[x]", "{", "true", "9" * 30, "x" * 600, "é漢🙂", "' OR 1 --", "%", "-1"]),
    st.text(max_size=12),
)
odd_number = st.one_of(
    st.sampled_from([0, -1, 1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**300, 10**308 * 9, 5e-324, -0.0, 1.5]),
    st.integers(),
    st.floats(allow_nan=False),
)
odd = st.recursive(
    st.one_of(st.none(), st.booleans(), odd_number, odd_text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(odd_text, inner, max_size=3)),
    max_leaves=6,
)
PLAUSIBLE: dict[str, list[Any]] = {
    "name": ["n"], "state": ["active", "completed", "failed", "deleted", "open", "closed"], "assignments": [{"x": 0.5}, {"i": 1}, {"x": 1e300}],
    "values": [{"m": {"value": 1}}, [{"name": "m", "value": 1}], [{"value": 2, "value_stddev": 0.1}]], "value": [1, 1e308, -1e308],
    "value_stddev": [0, 1e308], "failed": [True, False], "metadata": [{}, {"a": 1, "b": None}], "dev_metadata": [{"a": "b"}],
    "sys_metadata": [{"feature_importances": {"type": "t", "scores": {"a": 1}}}], "datasets": [{"d": {}}], "logs": [{"stdout": {"content": "text"}}],
    "model": [{"type": "t"}], "source_code": [{"hash": "h", "content": "c"}], "tags": [["a"]], "favorite": [True], "deleted": [True, False],
    "assignments_meta": [{"x": {"source": "me"}}], "assignments_sources": [{"me": {"sort": 1, "default_show": True}}], "project": ["default"],
    "parameters": [[X], [I], [X, I]], "metrics": [[{"name": "m"}], ["m"], [{"threshold": 1}]], "budget": [10], "observation_budget": [10, 6.5],
    "parallel_bandwidth": [2], "num_solutions": [1, 2], "type": ["offline", "random", "grid"], "conditionals": [[]], "linear_constraints": [[]],
    "tasks": [TASKS], "task": ["cheap"], "suggestion": ["1", 1], "no_optimize": [True], "dry_run": [True], "include_runs": [True],
    "content_length": [3], "content_md5": ["1B2M2Y8AsgTpgAmY7PhCfg=="], "content_type": ["image/png"], "filename": ["f"], "id": ["p"],
    "runs": [[{"name": "r"}]], "fields": ["id"], "observations": [[{"assignments": {"x": 0.5}, "value": 1}]], "metric": ["m"], "object": ["o"],
}  # fmt: skip
QUERY: dict[str, list[str]] = {
    "limit": ["1", "0", "1000"], "before": ["3"], "after": ["1"], "ascending": ["true", "false"], "search": ["r", ""], "id": ["1,2"],
    "sort": ["id", "recent", "value", "name", "values.m.value", "metadata.a", "parameter-x", "task", "created"], "deleted": ["true"],
    "state": ["all", "open", "active"], "include_ai": ["true"], "include_runs": ["true"], "dry_run": ["true"],
    "filters": [
        '[{"field":"id","operator":[],"value":1}]', '[{"field":"values.m.value","operator":">","value":1e400}]',
        '[{"field":"assignments.x","operator":">=","value":10}]', '[{"field":"name","operator":"==","value":"\\ud800"}]',
        '[{"field":"id","operator":"==","value":' + "9" * 30 + "}]", '[{"field":"metadata.a","operator":"<","value":"a"}]', "[" * 200,
    ],
}  # fmt: skip


def chosen(plausible: dict[str, list[Any]], anything: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the keys, each with a plausible value or with anything."""
    some = st.lists(st.sampled_from(sorted(plausible)), max_size=most, unique=True)
    return some.flatmap(lambda keys: st.fixed_dictionaries({key: st.one_of(st.sampled_from(plausible[key]), anything) for key in keys}))


bodies = st.one_of(
    chosen(PLAUSIBLE, odd, 6).map(json.dumps),
    st.builds(lambda body: json.dumps({"name": "n", "parameters": [X], "metrics": [{"name": "m"}], **body}), chosen(PLAUSIBLE, odd, 2)),
    st.builds(lambda body: json.dumps({"assignments": {"x": 0.5}, "value": 1, **body}), chosen(PLAUSIBLE, odd, 2)),
    st.sampled_from(["", "[]", "{", "NaN", '{"value": 1e400}', '{"a": 1, "a": 2}', "[" * 5000, '{"name": ' + "9" * 5000 + "}", '{"a": "\\u0000"}']),
    odd.map(json.dumps),
)
queries = chosen(QUERY, odd_text.map(lambda text: text.encode(errors="replace").decode()), 4)
parts = st.one_of(
    st.sampled_from(["1", "2", "3", "4", "5"]), st.sampled_from(["default", "self", "0", "9" * 18, "9" * 40, "-1", "\0", "x", "é", "１", "a" * 3000])
)


@dataclass
class Fuzzed:
    """A service in this process."""

    service: Service
    client: httpx.AsyncClient
    loop: asyncio.AbstractEventLoop

    def ask(self, method: str, path: str, query: dict[str, str], body: str) -> httpx.Response:
        """Send one request and wait for its answer."""
        url = f"/v1{path}" + ("?" + "&".join(f"{key}={quote(value)}" for key, value in query.items()) if query else "")
        request = self.client.request(method, url, content=body.encode(), auth=(self.service.tokens.token, ""))
        return self.loop.run_until_complete(asyncio.wait_for(request, SECONDS))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def fuzzed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """A service with two experiments of each kind and one of everything that they have."""
    database = request.getfixturevalue("fresh_postgres") if request.param == "postgresql" else None
    home = Home(tmp_path_factory.mktemp("fuzz") / "home")
    opened, loop = open_service(home, database), asyncio.new_event_loop()
    transport = httpx.ASGITransport(create_app(opened, Origins.of("127.0.0.1", None)))
    one = Fuzzed(opened, httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1"), loop)
    body = {"name": "e", "parameters": [X], "metrics": [{"name": "m"}]}
    loop.run_until_complete(opened.suggester.ask("check_supported", body))  # its process starts, however busy the machine is
    for method, path, data in (
        ("POST", "/clients/1/projects/default/aiexperiments", body),
        ("POST", "/clients/1/projects/default/aiexperiments", {**body, "parameters": [I], "type": "grid"}),
        ("POST", "/experiments", body),
        ("POST", "/experiments", {**body, "tasks": TASKS, "observation_budget": 5}),
        ("POST", "/aiexperiments/1/training_runs", {"name": "r"}),
        ("POST", "/training_runs/1/checkpoints", {"values": [{"name": "m", "value": 1}]}),
        ("POST", "/experiments/3/suggestions", {}),
        ("POST", "/experiments/3/observations", {"assignments": {"x": 0.5}, "value": 1}),
        ("POST", "/experiments/3/queued_suggestions", {"assignments": {"x": 0.1}}),
    ):
        assert one.ask(method, path, {}, json.dumps(data)).status_code == 200, path
    yield one
    loop.run_until_complete(one.client.aclose())
    opened.close()
    loop.close()


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} in an answer")


def check(response: httpx.Response) -> None:
    """What holds for every answer."""
    assert response.status_code < 500 and response.status_code != 429, response.text
    answer = json.loads(response.content, parse_constant=refuse_constant) if response.content else None
    if response.status_code >= 400:
        assert isinstance(answer, dict) and set(answer) == {"message", "status"} and answer["status"] == response.status_code
        assert isinstance(answer["message"], str) and len(answer["message"]) < 4000
        assert not any(word in answer["message"] for word in ("SELECT ", "INSERT ", "UPDATE ", "sqlalche", "psycopg", "Traceback"))


@pytest.mark.parametrize(("method", "path"), sorted({(method, path) for method, path, _ in ROUTES}))
def test_a_route_answers_whatever_it_is_asked(fuzzed: Fuzzed, method: str, path: str) -> None:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(values=st.tuples(*([st.one_of(st.just(""), parts)] * len(names))), query=queries, body=bodies)
    def answers(values: tuple[str, ...], query: dict[str, str], body: str) -> None:
        filled = path
        for name, value in zip(names, values, strict=True):
            filled = filled.replace(f"{{{name}}}", quote(value or {"client": "1", "project": "default"}.get(name, "1"), safe=""), 1)
        check(fuzzed.ask(method, filled, query, body))

    answers()


@settings(max_examples=EXAMPLES * 4, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "MERGE", "PATCH", "HEAD"]),
    pieces=st.lists(st.one_of(parts, st.sampled_from(["training_runs", "experiments", "uploads", "..", "."])), max_size=5),
    query=queries,
    body=bodies,
)
def test_any_path_is_answered(fuzzed: Fuzzed, method: str, pieces: list[str], query: dict[str, str], body: str) -> None:
    response = fuzzed.ask(method, "/" + "/".join(quote(one, safe="") for one in pieces), query, body)
    if method != "HEAD":
        check(response)


@settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(method=st.sampled_from(["GET", "PUT"]), identifier=parts, expires=odd_text, signature=odd_text)
def test_an_address_of_a_file_is_signed_or_refused(fuzzed: Fuzzed, method: str, identifier: str, expires: str, signature: str) -> None:
    query = {key: value.encode(errors="replace").decode() for key, value in (("expires", expires), ("signature", signature))}
    assert fuzzed.ask(method, f"/uploads/{quote(identifier, safe='')}", query, "x").status_code in (403, 404)
