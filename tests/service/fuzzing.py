"""Odd requests, and a service in this process that they are sent to; see test_fuzz.py. Seeded and bounded.

TRIALFLOW_FUZZ_EXAMPLES says how many requests each route gets on each database, 12 by default; TRIALFLOW_FUZZ_SEED which ones.
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
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st

from trialflow.home import Home
from trialflow.service.app import create_app
from trialflow.service.origins import Origins
from trialflow.service.service import Service
from trialflow.service.serving import open_service

EXAMPLES = int(os.environ.get("TRIALFLOW_FUZZ_EXAMPLES", "12"))
SEED = int(os.environ.get("TRIALFLOW_FUZZ_SEED", "0"))
SECONDS = 60
SQL_OR_PYTHON = ("SELECT ", "INSERT ", "UPDATE ", "sqlalche", "psycopg", "Traceback")
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
PLAUSIBLE |= {
    "token": ["t" * 20], "holder": [{"host": "here"}], "exclusive": [True, False], "seconds": [1, 60], "replaces": [["1"]], "attempt": [1, 2],
    "training_runs": [["1"], [1]], "user": [0, 1000],
}  # fmt: skip
QUERY: dict[str, list[str]] = {
    "code": ["x"], "to": ["experiments/1", "//evil", "/training-runs/1"], "part": ["table"], "ids": ["1,2", "1", ""], "runs": ["1,2"], "x": ["x"],
    "y": ["m"], "metric": ["m", "n"], "page": ["1", "2"], "columns": ["x,m"], "project": ["default"], "q": ["e"], "show": ["archived"],
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


workers = st.sampled_from([None, None, None, None, "", "1.x", "x", "-1.t", "9" * 40 + "." + "t" * 300, "1." + "t" * 20])


def fuzzed_times(times: int) -> Any:
    """So many times EXAMPLES requests, and the same ones whenever the seed is the same."""

    def decorate(test: Any) -> Any:
        bounds = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
        return seed(SEED)(settings(max_examples=EXAMPLES * times, **bounds)(test))

    return decorate


@dataclass
class Fuzzed:
    """A service in this process. `tokens` are its own, a model's, and a guest's."""

    service: Service
    client: httpx.AsyncClient
    loop: asyncio.AbstractEventLoop
    tokens: tuple[str, ...] = ()

    def ask(
        self, method: str, path: str, query: dict[str, str], body: str, *, token: str | None = None, worker: str | None = None, cookie: bool = False
    ) -> httpx.Response:
        """Send one request and wait for its answer: with a token, or as a page of the service itself does."""
        url = path + ("?" + "&".join(f"{key}={quote(value)}" for key, value in query.items()) if query else "")
        headers = {"X-Trialflow-Worker": worker} if worker is not None else {}
        if cookie:
            sign_in = self.service.sign_in
            headers |= {"Cookie": f"{sign_in.cookie}={sign_in.redeem(sign_in.code(), None)}", "Origin": "http://127.0.0.1"}
            headers["Content-Type"] = "application/json"
        auth = None if cookie else (token or self.service.tokens.token, "")
        self.client.cookies.clear()
        request = self.client.request(method, url, content=body.encode(), auth=auth, headers=headers)
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
        assert one.ask(method, f"/v1{path}", {}, json.dumps(data)).status_code == 200, path
    token = one.ask("POST", "/v1/training_runs/1/tokens", {}, "{}").json()["token"]
    one.tokens = (opened.tokens.token, opened.tokens.token, opened.tokens.token, token, opened.tokens.guest(1))
    yield one
    loop.run_until_complete(one.client.aclose())
    opened.close()
    loop.close()


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} in an answer")


def check(response: httpx.Response) -> None:
    """What holds for every answer."""
    assert response.status_code < 500 and response.status_code != 429, response.text
    if response.headers.get("content-type", "application/json") != "application/json":
        assert not any(word in response.text for word in SQL_OR_PYTHON)
        return
    answer = json.loads(response.content, parse_constant=refuse_constant) if response.content else None
    if response.status_code >= 400:
        assert isinstance(answer, dict) and set(answer) == {"message", "status"} and answer["status"] == response.status_code
        assert isinstance(answer["message"], str) and len(answer["message"]) < 4000
        assert not any(word in answer["message"] for word in SQL_OR_PYTHON)
