"""Models that mean harm, one way each, and what has to be true of their experiment in the end, wherever they are executed."""

import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.tuning import Tuning
from tasks.compute import Attempt, Compute
from tasks.context import FlowContext, RunContext
from tasks.experiments.client import ServiceClient
from tests.contract.training import SPEAKS
from tests.flows.fakes import FakeComputes, PlainChain
from tests.service.conftest import Running
from trialflow.home import Home
from trialflow.specs import RunSpec

MODEL = (
    SPEAKS
    + r'''
import signal, socket, sys, time

place = urllib.parse.urlsplit(os.environ["SIGOPT_API_URL"])
run, name, attempt = (os.environ[key] for key in ("SIGOPT_RUN_ID", "SIGOPT_RUN_NAME", "TRIALFLOW_ATTEMPT"))
authorized = ("\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic " + token + "\r\n").encode()

def raw(head, *body):
    """Send anything at all. Returns the status that came back; 0 if the connection was just ended."""
    with socket.create_connection((place.hostname, place.port), 100) as one:
        try:
            for part in (head + authorized, *body):
                one.sendall(part)
        except OSError:
            pass
        try:
            return int((one.recv(100).split() + [b"0", b"0"])[1])
        except (OSError, ValueError):
            return 0

def merge(text):
    return raw(b"MERGE /v1/training_runs/%s HTTP/1.1" % run.encode(), b"Content-Length: %d\r\n\r\n" % len(text), text)

def fields():
    """What is not a model's to say."""
    for body in (
        {"name": "mine now"}, {"deleted": True}, {"created": 1}, {"state": "completed"}, {"favorite": True}, {"project": "elsewhere"},
        {"logs": {"all": {"content": "x"}}}, {"metadata": {"trialflow_uid": "wandb-key", "kept": 1}}, {"experiment": "1"}, {"observation": "1"},
        {"dev_metadata": {"trialflow_attempt": "x", "trialflow_lost": {}, "trialflow_stopped_early": "now", "trialflow_reason": 5}},
        {"sys_metadata": {"trialflow_x": 1}}, {"values": []}, {"values": {"y": "x"}}, {"values": {"y": {"value": None}}}, {"assignments": 3},
    ):
        assert say("MERGE", body)[0] < 400
    assert say("PUT", {"dev_metadata": {}, "name": "mine now"})[0] < 400
    assert say("DELETE", None)[0] == 403

def others():
    """What belongs to others, and paths that are none."""
    for method, path in (
        ("DELETE", "/v1/experiments/1"), ("PUT", "/v1/aiexperiments/1"), ("POST", "/v1/aiexperiments/1/training_runs"),
        ("MERGE", "/v1/training_runs/1"), ("DELETE", "/v1/training_runs/1"), ("POST", "/v1/sign_in_codes"),
        ("POST", "/v1/training_runs/%s/tokens" % run),
        ("GET", "/v1/training_runs/%s/../1" % run), ("GET", "/v1/training_runs/%%2e%%2e/1"), ("GET", "http://169.254.169.254/latest/meta-data"),
        ("GET", "//169.254.169.254/"), ("POST", "/v1/clients/1/projects"), ("GET", "/v1/training_runs/" + "9" * 60000), ("GET", "/v1/x\x00"),
    ):
        assert not 200 <= raw(("%s %s HTTP/1.1" % (method, path)).encode(), b"Content-Length: 2\r\n\r\n{}") < 300, (method, path)
    assert say("MERGE", {"values": {"y": {"value": 666}}}, authorization="Basic eDo=")[0] == 403

def marks():
    """Lines that look like the launcher's."""
    own = "%s/%s/" % (name, attempt)
    for nonce in ("run-other123/1/" + "0" * 16, own, own + "0" * 16, None, 7, [own], {}):
        for content in (
            {"kind": "merge", "number": 1, "body": {"values": {"y": {"value": 666}}}}, {"kind": "end", "number": 0, "facts": {"code": 0}},
            {"kind": "recap", "number": 9, "merge": {"values": {"y": {"value": 666}}}, "checkpoints": []}, {"kind": "begin", "python": "9.9"},
        ):
            print("\x1etrialflow " + json.dumps(dict(content, nonce=nonce)))
    print("\x1etrialflow " * 1000 + "\x1e\x1etrialflow {}\n\x1etrialflow []\n\x1etrialflow " + "[" * 100000)
    if os.path.exists("/dev/termination-log"):
        with open("/dev/termination-log", "w") as file:
            file.write(json.dumps({"trialflow": {"nonce": own, "facts": {"code": 0}, "number": 1, "values": {"y": 666}}}))
    sys.stdout.write('\x1etrialflow {"kind": "merge", "numb')
    sys.stdout.flush()

def flood():
    """32 MiB without a line end."""
    for _ in range(512):
        os.write(1, b"a" * 65536)

def bodies():
    """Bodies that are too large, too deep, too long to read, or not there."""
    assert merge(b'{"metadata": {"a": "' + b"x" * (40 << 20) + b'"}}') < 300
    assert merge(b'{"metadata": ' + b"[" * 200000) == 400
    merge(b'{"metadata": {' + b",".join(b'"a":1' for _ in range(200000)) + b"}}")
    merge(b'{"metadata": {"a": ' + b"9" * 1000000 + b"}}")
    merge(b'{"values": {"y": {"value": 1e999}, "z": {"value": NaN}}}')
    merge(b"\xff\xfe\x00{}")
    head = b"MERGE /v1/training_runs/%s HTTP/1.1" % run.encode()
    for more in (b"Content-Length: -1", b"Content-Length: 1\r\nContent-Length: 2", b"Transfer-Encoding: chunked", b"Content-Length: " + b"9" * 5000):
        assert raw(head, more + b"\r\n\r\n{}") in (0, 400, 411)
    idle = [socket.create_connection((place.hostname, place.port), 100) for _ in range(300)]
    for one in idle:
        one.sendall(head)
    assert say("MERGE", {"metadata": {"others": "wait"}})[0] == 204

def patterns():
    """Lines on which the expression of run.yml searches for ever."""
    for _ in range(20):
        print("a" * 5000 + "!")

def names():
    """Text that does something to a terminal, a table or a file."""
    for text in (
        "y\x1b[2J\x1b]0;owned\x07",
        "y\nenv: {LD_PRELOAD: /tmp/x.so}", "\x9b31m\u202ey", "<script>alert(1)</script>", "=1+1", "\x00", "\ud800", "x" * 5000
    ):
        say("MERGE", {"values": {text: {"value": 1}}})
        say("MERGE", {"metadata": {text: text}, "model": {"type": text}, "datasets": {text: {}}})
        say("POST", {"values": [{"name": text, "value": 1}]}, "/checkpoints")
        os.write(1, text.encode("utf-8", "replace") + b"\n")

def ends():
    """Its launcher is asked to end, again and again."""
    time.sleep(0.2)
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(100)

globals()[os.environ["TRIALFLOW_PARAM_ATTACK"]]()
connection.close()
assert say("MERGE", {"values": {"y": {"value": 1}}})[0] == 204
'''
)
SAYS = {
    "fields": ("`name` cannot be set by a model", "`dev_metadata.trialflow_attempt` is trialflow's own", "`deleted` cannot be set by a model"),
    "others": (),
    "marks": ("run-other123/1/0000000000000000", '\x1etrialflow {"kind": "merge", "numb'),
    "flood": ("a" * (1 << 20),),
    "bodies": ("more than 32 MiB was logged at once and was dropped",),
    "patterns": ("evil: the pattern takes too long on a line",),
    "names": (),
    "ends": (),
}
"""What the log of each attack has to say of it, or to have kept as text."""
FAILED = {"patterns": "no longer searched for", "ends": "lost 2 times"}
"""The attacks that cost their own training run, and why."""
MOST_MEMORY = 250 << 20
"""By how much the process that follows them may grow."""


@dataclass
class Bystander:
    """What is in the service before, and has to be the same after."""

    service: Running

    def __post_init__(self) -> None:
        made = self.service.experiment(name="bystander")
        self.run = self.service.run(made)
        self.before = self.seen()

    def seen(self) -> list[Any]:
        """As the service tells it."""
        runs = self.service.call("GET", "clients/1/projects/default/training_runs")["data"]
        mine = {key: value for one in runs if one["id"] == self.run["id"] for key, value in one.items()}
        listed = self.service.call("GET", "clients/1/projects")["data"]
        return [mine, self.service.call("GET", f"aiexperiments/{self.run['experiment']}"), sorted(one["id"] for one in listed)]


async def attack(service: Running, home: Home, compute: Compute, command: tuple[str, ...]) -> dict[str, Any]:
    """An experiment in which each training run attacks in a way of its own. Returns it, once all that has to be true of it was found true."""
    bystander = Bystander(service)
    parameters = [{"name": "attack", "type": "categorical", "categorical_values": list(SAYS)}]
    body = {"name": "hostile", "type": "grid", "parameters": parameters, "metrics": [{"name": "y"}], "budget": len(SAYS), "parallel_bandwidth": 2}
    experiment = service.call("POST", "clients/1/projects/default/aiexperiments", body)
    client = ServiceClient(service.url, service.token)
    spec = RunSpec.model_validate({"run": list(command), "metrics": {"evil": "(a+)+$"}, "max_relaunches": 1, "timeout": 300})
    flow = FlowContext(home, client, FakeComputes(compute), "default", spec, Path("/"), {})  # type: ignore[arg-type]
    context = RunContext(flow, compute, required=("y",), required_if_stopped=("y",))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        await Tuning(context, experiment, [], canary=False, new_chain=PlainChain).run()
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
        runs = await client.runs("default", experiment_id=str(experiment["id"]))
    finally:
        client.close()
    assert grown < MOST_MEMORY, f"{grown >> 20} MiB"
    assert sorted(run["assignments"]["attack"] for run in runs) == sorted(SAYS), "each unit of the budget is spent once"
    for run in runs:
        check(run, "\n".join(logs(context, run)))
    assert bystander.seen() == bystander.before
    return experiment


def logs(context: RunContext, run: Mapping[str, Any]) -> list[str]:
    """What each attempt of a training run printed, and what its launcher said."""
    attempts: list[Attempt] = [context.attempt(run, number) for number in (1, 2)]
    return [context.compute.read_log(one).decode("utf-8", "replace") for one in attempts]


def check(run: Mapping[str, Any], log: str) -> None:
    """What has to be true of one of them."""
    kind = run["assignments"]["attack"]
    told = f"{kind}: {run['state']} {run['dev_metadata']} {log[-3000:]}"
    assert run["state"] == ("failed" if kind in FAILED else "completed"), told
    if kind in FAILED:
        assert FAILED[kind] in str(run["dev_metadata"].get("trialflow_reason")), told
    else:
        assert run["values"]["y"]["value"] == 1, told
    assert set(run["values"]) <= {"y"} or kind == "names", told
    assert run["name"].startswith("run-") and not run["deleted"] and run["created"] > 1000 and not run["favorite"]
    assert not [key for key in run["metadata"] if key.startswith("trialflow_")] and "trialflow_x" not in run["sys_metadata"]
    assert str(run["dev_metadata"].get("trialflow_attempt", 1)).isdigit() and "trialflow_stopped_early" not in run["dev_metadata"]
    for sentence in SAYS[kind]:
        assert sentence in log, told
