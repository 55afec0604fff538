"""Experiments to look at, written straight into a service's database: of every state and kind, and of any size."""

import math
import random
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from trialflow.metadata_keys import ATTEMPT, FLOW_RUNS, LOST, NODE_USE, OWNER, PLACE, PREFECT_UI, REASON, STOPPED_EARLY
from trialflow.results.spending import NodeUse
from trialflow.service.store import Database
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store import projects as project_store
from trialflow.service.store import runs as run_store
from trialflow.service.store.database import sqlite_url
from trialflow.service.store.rows import add, change, now
from trialflow.service.store.schema import checkpoints, training_runs

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\'"&%{x}\x1b[31m\u202e'
FLOW_RUN = "1fec05f7-3f00-46fd-9601-7a6ada0b8a2b"
LR = {"name": "log_lr", "type": "double", "bounds": {"min": -5, "max": 0}}
WIDTH = {"name": "width", "type": "int", "bounds": {"min": 16, "max": 512}}
OPTIMIZER = {"name": "optimizer", "type": "categorical", "categorical_values": ["adam", "sgd", "lion"]}
ACCURACY = {"name": "accuracy", "objective": "maximize", "strategy": "optimize"}
LATENCY = {"name": "latency_ms", "objective": "minimize", "strategy": "optimize", "threshold": 60.0}


class Seed:
    """Writes experiments in one transaction. Times lie behind now, as if everything had just ended."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.random = random.Random(7)
        if "default" not in [row["id"] for row in project_store.all_of(connection)]:
            project_store.create(connection, "default", "Default project", None)
        project_store.create(connection, "vision", "vision", None)

    def experiment(self, name: str, *, project: str = "vision", **body: Any) -> dict[str, Any]:
        """A new experiment."""
        fields = {"name": name, "parameters": [LR, WIDTH, OPTIMIZER], "metrics": [ACCURACY], "budget": 40, "parallel_bandwidth": 4, **body}
        return experiment_store.create(self.connection, kind="ai", project=project, body=fields)

    def run(self, experiment: dict[str, Any], assignments: dict[str, Any], *, ago: float, seconds: float = 40, **fields: Any) -> int:
        """A training run that began `ago` seconds ago; `fields` are the API's."""
        body = {"name": f"run-{self.random.randrange(36**8):08x}", **fields}
        suggestion = {"assignments": assignments, "method": "explicit"}
        row = run_store.create(self.connection, project=experiment["project"], experiment=experiment, body=body, suggestion=suggestion)
        began = now() - int(ago)
        times = {"created": began, "completed": None if row["completed"] is None else began + int(seconds)}
        change(self.connection, training_runs, row["id"], times)
        return row["id"]

    def checkpoints(self, run: int, values: list[float], metric: str = "accuracy") -> None:
        """Checkpoints of a training run."""
        for value in values:
            add(self.connection, checkpoints, {"training_run": run, "values": [{"name": metric, "value": value}], "metadata": {}, "created": now()})
        change(self.connection, training_runs, run, {"checkpoint_count": len(values)})

    def point(self) -> dict[str, Any]:
        """Random assignments."""
        kinds = OPTIMIZER["categorical_values"]
        return {"log_lr": self.random.uniform(-5, 0), "width": self.random.randint(16, 512), "optimizer": self.random.choice(kinds)}

    def quality(self, point: dict[str, Any], progress: float = 0.0) -> float:
        """How good a model with these assignments is."""
        place = 0.94 - 0.03 * (point["log_lr"] + 2.6 - 0.3 * progress) ** 2 - 0.00006 * abs(point["width"] - 320)
        return place - (0.05 if point["optimizer"] == "sgd" else 0.0) + self.random.gauss(0, 0.006)

    def mixed(self, name: str = "image classifier") -> dict[str, Any]:
        """An experiment in progress with training runs in every state, checkpoints, logs and reasons."""
        owner = '{"host": "gpu-01", "pid": 4711, "since": 1.0}'
        flow_run = {FLOW_RUNS: FLOW_RUN, PREFECT_UI: "https://prefect.example.org"}
        one = self.experiment(name, metadata={OWNER: owner, "dataset": "birds v3", **flow_run})
        for number in range(34):
            point = self.point()
            point["log_lr"] = -2.6 + (point["log_lr"] + 2.6) * (1 - number / 50)
            value, ago = self.quality(point), 3600 - number * 100
            curve = [value * (1 - math.exp(-step / 4)) for step in range(1, 13)]
            dev: dict[str, Any] = {ATTEMPT: 1}
            if number % 9 == 4:
                dev = {ATTEMPT: 2, LOST: 1, REASON: "the pod was evicted: the node was low on memory"}
            dev[f"{NODE_USE}1"] = str(NodeUse(f"node-{number}", 3.6, now() - ago, now() - ago + 40))
            if number in (6, 13, 27):
                reason = f"exit code 1: CUDA out of memory: tried to allocate {number}.50 GiB" if number != 13 else "the model did not log accuracy"
                log = {"all": {"content": f"epoch 1\nepoch 2\n{reason}\n"}}
                self.run(one, point, ago=ago, state="failed", dev_metadata={**dev, REASON: reason}, logs=log)
            elif number in (9, 17, 22, 30):
                dev[STOPPED_EARLY] = "accuracy 0.61 at checkpoint 5 is below the median 0.74"
                values = {"accuracy": {"value": curve[4]}}
                self.checkpoints(self.run(one, point, ago=ago, state="completed", values=values, dev_metadata=dev), curve[:5])
            else:
                values = {"accuracy": {"value": value, "value_stddev": 0.004}}
                fields = {"metadata": {"gpu": "A100"}, "logs": {"all": {"content": "epoch 1\nepoch 2\ndone\n"}}, "dev_metadata": dev}
                self.checkpoints(self.run(one, point, ago=ago, state="completed", values=values, **fields), curve)
        for number in range(3):
            dev = {ATTEMPT: 1, PLACE: "gpus/run-ab12cd34"}
            self.checkpoints(self.run(one, self.point(), ago=30, dev_metadata=dev), [0.3, 0.45, 0.52][: number + 1])
        return one

    def front(self, name: str = "fast and accurate", count: int = 60) -> dict[str, Any]:
        """Two metrics against each other, one with a threshold."""
        one = self.experiment(name, metrics=[ACCURACY, LATENCY], budget=count)
        for number in range(count):
            point = self.point()
            latency = 8 + point["width"] / 7 + self.random.gauss(0, 3)
            values = {"accuracy": {"value": self.quality(point) + point["width"] / 6000}, "latency_ms": {"value": latency}}
            self.run(one, point, ago=7200 - number * 90, state="completed", values=values)
        return one

    def constrained(self) -> dict[str, Any]:
        """One metric is optimized, another has to keep a threshold."""
        latency = {**LATENCY, "strategy": "constraint", "threshold": 40.0}
        one = self.experiment("accurate within 40 ms", metrics=[ACCURACY, latency], budget=20)
        for number in range(20):
            point = self.point()
            values = {"accuracy": {"value": 0.5 + point["width"] / 1100}, "latency_ms": {"value": 8 + point["width"] / 7}}
            self.run(one, point, ago=2000 - number * 60, state="completed", values=values)
        return one

    def conditional(self) -> dict[str, Any]:
        """A search in which a parameter is active for one kind of model only."""
        momentum = {"name": "momentum", "type": "double", "bounds": {"min": 0, "max": 1}, "conditions": {"net": ["deep"]}}
        body = {"parameters": [LR, momentum], "conditionals": [{"name": "net", "values": ["deep", "linear"]}]}
        one = self.experiment("networks and linear models", **body)
        for number in range(20):
            kind = self.random.choice(["deep", "linear"])
            point = {"net": kind, "log_lr": self.random.uniform(-5, 0), **({"momentum": self.random.random()} if kind == "deep" else {})}
            self.run(one, point, ago=2000 - number * 60, state="completed", values={"accuracy": {"value": self.random.random()}})
        return one

    def hostile(self) -> dict[str, Any]:
        """Names, values, reasons and logs that try to be markup, scripts and control characters."""
        name = HOSTILE[:100]
        parameters = [{"name": name, "type": "categorical", "categorical_values": [HOSTILE, "b"]}, LR]
        one = self.experiment(name, parameters=parameters, metrics=[{**ACCURACY, "name": name}], metadata={"note": HOSTILE})
        for number in range(8):
            point = {name: HOSTILE if number % 2 else "b", "log_lr": -1.0 - number / 4}
            fields = {
                "metadata": {HOSTILE: HOSTILE},
                "logs": {"all": {"content": HOSTILE * 120}},
                "source_code": {"content": HOSTILE * 50, "hash": HOSTILE},
            }
            if number == 3:
                self.run(one, point, ago=900, state="failed", dev_metadata={REASON: HOSTILE * 4}, **fields)
            else:
                run = self.run(one, point, ago=900 - number, state="completed", values={name: {"value": number / 10}}, **fields)
                self.checkpoints(run, [0.1, 0.2], name)
        return one

    def large(self, count: int) -> dict[str, Any]:
        """Very many training runs."""
        one = self.experiment(f"{count} training runs", budget=count, metrics=[ACCURACY, {**LATENCY, "strategy": "store", "threshold": None}])
        self.run(one, self.point(), ago=count * 10, state="completed", values={"accuracy": {"value": 0.5}, "latency_ms": {"value": 0.5}})
        (row,) = self.connection.execute(select(training_runs).where(training_runs.c.experiment == one["id"])).mappings()
        rows = []
        for number in range(1, count):
            point, began = self.point(), row["created"] + number * 10
            failed = number % 50 == 7
            values = {} if failed else {"accuracy": {"value": self.quality(point)}, "latency_ms": {"value": self.random.random()}}
            dev = {REASON: f"exit code 1 after {number} s"} if failed else {}
            data = {**row["data"], "assignments": point, "values": values, "dev_metadata": dev}
            state = "failed" if failed else "completed"
            times = {"created": began, "updated": began + 8, "completed": began + 8}
            rows.append({**row, **times, "id": row["id"] + number, "data": data, "state": state, "suggestion": None, "observation": None})
        self.connection.execute(insert(training_runs), rows)
        return one


def seeded(home: Path, *, large: int = 0) -> dict[str, str]:
    """Write experiments into the database of a home whose service does not run. Name -> id."""
    (home / "service").mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    database = Database(sqlite_url(home / "service" / "trialflow.db"))
    try:
        with database.transaction() as connection:
            seed = Seed(connection)
            made = {"mixed": seed.mixed(), "front": seed.front(), "conditional": seed.conditional(), "hostile": seed.hostile()}
            made["empty"] = seed.experiment("nothing yet")
            made["constrained"] = seed.constrained()
            made["other"] = seed.mixed("image classifier, wider")
            if large:
                made["large"] = seed.large(large)
    finally:
        database.close()
    return {name: str(one["id"]) for name, one in made.items()}
