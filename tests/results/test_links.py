"""Links of pages: only to what is an address, and without anything that could be a secret."""

import pytest

from trialflow.metadata_keys import FLOW_RUNS, PREFECT_UI
from trialflow.results.links import flow_runs, place_of, plain_address

IDS = ("1fec05f7-3f00-46fd-9601-7a6ada0b8a2b", "2fec05f7-3f00-46fd-9601-7a6ada0b8a2b")


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("https://prefect.example.org/", "https://prefect.example.org"),
        ("http://user:secret@127.0.0.1:4200/ui?token=secret#secret", "http://127.0.0.1:4200/ui"),
        ("https://app.prefect.cloud/account/a/workspace/b", "https://app.prefect.cloud/account/a/workspace/b"),
        ("http://[::1]:4200", "http://[::1]:4200"),
        ("javascript:alert(1)", None),
        ("data:text/html,hello", None),
        ("//elsewhere", None),
        ("https://", None),
        ("https://a:port", None),
        ("https://a/\u202e", None),
        (4200, None),
        (None, None),
    ],
)
def test_an_address_has_no_secret_in_it(given: object, plain: str | None) -> None:
    assert plain_address(given) == plain


def test_the_latest_flow_run_has_the_address_that_is_known() -> None:
    kept = {FLOW_RUNS: " ".join(IDS), PREFECT_UI: "https://prefect.example.org"}
    address = f"https://prefect.example.org/runs/flow-run/{IDS[0]}"
    assert flow_runs(kept, is_in_progress=False) == [{"id": IDS[0], "address": address}, {"id": IDS[1], "address": None}]
    assert flow_runs({FLOW_RUNS: "../../x", PREFECT_UI: "https://a"}, is_in_progress=True) == [{"id": "../../x", "address": None}]
    assert flow_runs({}, is_in_progress=True) == []


@pytest.mark.parametrize("host", ["127.0.0.1:4200", "localhost:4200", "[::1]:1"])
def test_a_server_of_this_machine_is_linked_to_while_work_goes_on(host: str) -> None:
    kept = {FLOW_RUNS: IDS[0], PREFECT_UI: f"http://{host}"}
    assert flow_runs(kept, is_in_progress=False)[0]["address"] is None
    assert flow_runs(kept, is_in_progress=True)[0]["address"] == f"http://{host}/runs/flow-run/{IDS[0]}"


def test_a_place_is_a_job_of_a_cluster_with_the_command_that_tells_of_it_and_any_other_text_is_none() -> None:
    command = "trialflow cluster kubectl --cluster-name mine describe job run-ab12cd34-2"
    assert place_of("mine/run-ab12cd34-2") == {"cluster": "mine", "job": "run-ab12cd34-2", "command": command}
    for text in (None, 7, "", "mine", "mine/", "/x", "mine/run x", "mine/a; rm -rf ~", "a b/run-1", "mine/--all", "-A/run-1", "mine/" + "a" * 64):
        assert place_of(text) is None
