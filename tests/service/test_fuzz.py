"""Every route, asked in odd ways: no 5xx, no 429, no exception, nobody waits, and every answer is plain JSON, or a page, without SQL.

The routes are those of the application itself, so none can be forgotten. `fuzzing.py` says how to send more.
"""

from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.service.fuzzing import Fuzzed, bodies, check, fuzzed, fuzzed_times, odd_text, parts, queries, workers
from trialflow.service.app import create_app
from trialflow.service.origins import Origins
from trialflow.service.routes import ROUTES

__all__ = ["fuzzed"]


def route_table() -> set[tuple[str, str]]:
    """Method and path of every route that the application answers at."""
    app: Any = create_app(SimpleNamespace(store=None), Origins(None))  # type: ignore[arg-type]
    return {(method, route.path) for route in app._app.routes for method in route.methods - {"HEAD"}}


TABLE = sorted((method, path) for method, path in route_table() if not path.startswith("/api/"))
"""Those with the prefix of a self-hosted SigOpt server are the same."""
PAGES = [(method, path) for method, path in TABLE if not path.startswith("/v1/")]
STARTS_A_PROCESS = "/experiments/{id}/stop"
"""It is asked only for experiments that do not exist."""


def test_what_is_fuzzed_is_what_there_is() -> None:
    fuzzed_here = {(method, path.removeprefix("/v1")) for method, path in TABLE}
    assert {(method, path) for method, path, _ in ROUTES} <= fuzzed_here and len(PAGES) > 15
    assert {(method, path.removeprefix("/api")) for method, path in route_table() if path.startswith("/api/")} <= set(TABLE)


@pytest.mark.parametrize(("method", "path"), TABLE)
def test_a_route_answers_whatever_it_is_asked(fuzzed: Fuzzed, method: str, path: str) -> None:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    usual = {"client": "1", "project": "default"}
    is_page = (method, path) in PAGES

    @fuzzed_times(1)
    @given(
        values=st.tuples(*([st.one_of(st.just(""), parts)] * len(names))),
        query=queries,
        body=bodies,
        token=st.integers(0, len(fuzzed.tokens) - 1),
        worker=workers,
    )
    def answers(values: tuple[str, ...], query: dict[str, str], body: str, token: int, worker: str | None) -> None:
        filled = path
        for name, value in zip(names, values, strict=True):
            given = "99" if path == STARTS_A_PROCESS and value in ("", "1", "2", "3", "4", "5") else value or usual.get(name, "1")
            filled = filled.replace(f"{{{name}}}", quote(given, safe=""), 1)
        if is_page:
            check(fuzzed.ask(method, filled, query, body, cookie=True))
        else:
            check(fuzzed.ask(method, filled, query, body, token=fuzzed.tokens[token], worker=worker))

    answers()


@fuzzed_times(4)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "MERGE", "PATCH", "HEAD"]),
    pieces=st.lists(st.one_of(parts, st.sampled_from(["training_runs", "experiments", "uploads", "..", "."])), max_size=5),
    query=queries,
    body=bodies,
)
def test_any_path_is_answered(fuzzed: Fuzzed, method: str, pieces: list[str], query: dict[str, str], body: str) -> None:
    response = fuzzed.ask(method, "/v1/" + "/".join(quote(one, safe="") for one in pieces), query, body)
    if method != "HEAD":
        check(response)


@fuzzed_times(1)
@given(method=st.sampled_from(["GET", "PUT"]), identifier=parts, expires=odd_text, signature=odd_text)
def test_an_address_of_a_file_is_signed_or_refused(fuzzed: Fuzzed, method: str, identifier: str, expires: str, signature: str) -> None:
    query = {key: value.encode(errors="replace").decode() for key, value in (("expires", expires), ("signature", signature))}
    assert fuzzed.ask(method, f"/v1/uploads/{quote(identifier, safe='')}", query, "x").status_code in (403, 404)
