"""`trialflow.Optimizer`: ask and tell, in this process, without a server. What it suggests is what the service would suggest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trialflow import optimizer
from trialflow.api.process import plain
from trialflow.api_types import Metric
from trialflow.errors import InvalidInput, TrialflowError
from trialflow.optimizer_inputs import metrics_of, next_point, observation_of, space_of
from trialflow.results.ranking import best_of
from trialflow.service import assignments as points
from trialflow.service import validation
from trialflow.service.errors import BadRequest
from trialflow.specs import experiment_from

Assignments = dict[str, float | int | str]


@dataclass(frozen=True)
class Observed:
    """What was measured at some assignments: metric -> value, and metric -> standard deviation where one was given. `failed` ones have no values."""

    assignments: Mapping[str, float | int | str]
    values: Mapping[str, float]
    stddev: Mapping[str, float]
    failed: bool = False


class Optimizer:
    """Suggests assignments from what was observed. The arguments are the fields of experiment.yml.

    Deterministic: the same calls with the same `seed` give the same suggestions. Raises `InvalidInput` for fields that cannot be accepted.
    """

    def __init__(
        self,
        parameters: Sequence[Mapping[str, Any]],
        metrics: Sequence[Metric],
        *,
        conditionals: Sequence[Mapping[str, Any]] | None = None,
        linear_constraints: Sequence[Mapping[str, Any]] | None = None,
        type: str = "offline",  # noqa: A002 - the field's name
        budget: int | None = None,
        parallel_bandwidth: int = 1,
        num_solutions: int | None = None,
        seed: int = 1,
    ) -> None:
        fields = {
            "parameters": [dict(one) for one in parameters],
            "metrics": [dict(one) for one in metrics],
            "conditionals": conditionals and [dict(one) for one in conditionals],
            "linear_constraints": linear_constraints and [dict(one) for one in linear_constraints],
            "type": type,
            "budget": budget,
            "parallel_bandwidth": parallel_bandwidth,
            "num_solutions": num_solutions,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        self._body = experiment_from({"name": "optimizer", **given}).to_api()
        optimizer.check_supported(space_of(self._body), metrics_of(self._body), self._body.get("type") or "offline", num_solutions=num_solutions or 1)
        self._metrics: list[str] = [one["name"] for one in self._body["metrics"]]
        self._seed = seed
        self._rows: list[dict[str, Any]] = []
        self._pending: list[Assignments] = []

    def suggest(self) -> Assignments:
        """Assignments to try next. They are pending until they are observed, and not suggested again; several may be pending at once.

        Raises `TrialflowError` when every point of a finite space was suggested or observed.
        """
        found: Assignments = dict(next_point(self._body, self._rows, self._pending, seed=self._seed).assignments)
        self._pending.append(found)
        return dict(found)

    def observe(
        self,
        assignments: Mapping[str, float | int | str],
        values: Mapping[str, float] | None = None,
        *,
        failed: bool = False,
        stddev: float | Mapping[str, float] | None = None,
        **metrics: float,
    ) -> Observed:
        """Say what was measured at assignments, suggested or not: `observe(p, accuracy=0.9)`, or `observe(p, failed=True)`.

        `values` is for metrics whose name is no Python name. `stddev` is the standard deviation of the only metric, or metric -> its own.
        Raises `InvalidInput` unless every metric is there and the assignments are a point of the space.
        """
        measured = {**(values or {}), **metrics}
        try:
            point = points.checked(self._body, {name: _plain(value) for name, value in assignments.items()})
            if failed and measured:
                raise BadRequest("a failed observation has no values")
            evaluated = [] if failed else self._evaluated(measured, stddev)
        except BadRequest as refused:
            raise InvalidInput(
                refused.message, hint=f"the metrics are {', '.join(self._metrics)}, as in `observe(p, {self._metrics[0]}=0.9)`"
            ) from None
        if point in self._pending:
            self._pending.remove(point)
        self._rows.append({"assignments": point, "values": evaluated, "failed": failed, "task": None})
        return _observed(self._rows[-1])

    @property
    def observations(self) -> list[Observed]:
        """Everything observed, in that order."""
        return [_observed(row) for row in self._rows]

    @property
    def pending(self) -> list[Assignments]:
        """What was suggested and not observed yet."""
        return [dict(one) for one in self._pending]

    def best(self) -> Observed:
        """The best observation within all thresholds; with two metrics to optimize the first of `best_observations`. Raises `TrialflowError`."""
        if not (found := self.best_observations()):
            raise TrialflowError("nothing was observed yet that satisfies every threshold", hint="failed observations have no values")
        return found[0]

    def best_observations(self) -> list[Observed]:
        """The best observation, or the Pareto front of two metrics, best in the first one first; none before there is one."""
        candidates = [(row, {one["name"]: one["value"] for one in row["values"]}) for row in reversed(self._rows) if not row["failed"]]
        return [_observed(row) for row in best_of(self._body["metrics"], candidates)]

    def importances(self) -> dict[str, dict[str, float]]:
        """Metric -> parameter -> its share of what moves the metric. A metric of which too little is known is left out."""
        return optimizer.importances(space_of(self._body), metrics_of(self._body), [observation_of(row, {}) for row in self._rows])

    def _evaluated(self, measured: Mapping[str, float], stddev: float | Mapping[str, float] | None) -> list[dict[str, Any]]:
        deviations = stddev if isinstance(stddev, Mapping) else {} if stddev is None else {self._only_metric(): stddev}
        if unknown := [name for name in deviations if name not in measured]:
            raise BadRequest(f"a standard deviation without a value: {', '.join(unknown)}")
        given = [
            {"name": name, "value": _plain(value), **({"value_stddev": _plain(deviations[name])} if name in deviations else {})}
            for name, value in measured.items()
        ]
        evaluated = validation.evaluations(given, self._metrics, "values")
        if missing := [name for name in self._metrics if name not in measured]:
            raise BadRequest(f"missing values for the metrics: {', '.join(missing)}")
        return evaluated

    def _only_metric(self) -> str:
        if len(self._metrics) > 1:
            raise BadRequest("with several metrics `stddev` is a dict: metric -> its standard deviation")
        return self._metrics[0]


def _plain(value: Any) -> Any:
    return plain(value) if hasattr(value, "tolist") else value


def _observed(row: Mapping[str, Any]) -> Observed:
    values = {one["name"]: one["value"] for one in row["values"]}
    deviations = {one["name"]: one["value_stddev"] for one in row["values"] if one.get("value_stddev") is not None}
    return Observed(row["assignments"], values, deviations, row["failed"])
