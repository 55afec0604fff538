"""The objects of the SigOpt API as it answers them: one TypedDict for each kind.

`total=False` where keys may be missing: a self-hosted SigOpt server answers fewer keys than the embedded service, and some calls ask for a selection.
Ids are decimal strings, times are epoch seconds.
"""

from collections.abc import Mapping
from typing import Any, Generic, Literal, NotRequired, Required, TypedDict, TypeVar

Assignments = Mapping[str, float | int | str]
Metadata = dict[str, float | int | str]
TrainingRunState = Literal["active", "completed", "failed"]
T = TypeVar("T")


class MetricEvaluation(TypedDict, total=False):
    """The value of one metric."""

    object: str
    name: str
    value: Required[float]
    value_stddev: float | None


class Log(TypedDict):
    """The head and tail of what a model printed to one stream."""

    content: str


class ModelInfo(TypedDict, total=False):
    """What kind of model was trained."""

    type: str | None


class SourceCode(TypedDict, total=False):
    """The code that a training run executed."""

    hash: str | None
    content: str | None


class TrainingRun(TypedDict, total=False):
    """One execution of the model with one set of assignments."""

    object: str
    id: Required[str]
    name: Required[str]
    state: Required[TrainingRunState]
    project: Required[str]
    client: str
    user: str | None
    experiment: Required[str | None]
    suggestion: str | None
    observation: str | None
    assignments: Required[dict[str, Any]]
    assignments_meta: dict[str, dict[str, Any]]
    assignments_sources: dict[str, dict[str, Any]]
    values: Required[dict[str, MetricEvaluation]]
    metadata: Required[dict[str, Any]]
    sys_metadata: dict[str, Any]
    dev_metadata: dict[str, Any]
    datasets: dict[str, Any]
    logs: dict[str, Log]
    model: ModelInfo
    source_code: SourceCode
    files: list[str]
    tags: list[str]
    favorite: bool
    checkpoint_count: Required[int]
    optimized_suggestion: bool
    created: Required[int]
    updated: int
    completed: Required[int | None]
    finished: bool
    deleted: bool


class Checkpoint(TypedDict, total=False):
    """Metric values in the middle of a training run."""

    object: str
    id: str
    training_run: str
    created: int
    values: Required[list[MetricEvaluation]]
    metadata: dict[str, Any]


class Task(TypedDict, total=False):
    """One of the tasks of a multitask experiment: the same model at a fraction of the cost."""

    object: str
    name: Required[str]
    cost: Required[float]


class Suggestion(TypedDict, total=False):
    """A point that an experiment proposes to try."""

    object: str
    id: Required[str]
    experiment: str
    assignments: Required[dict[str, Any]]
    state: Literal["open", "closed"]
    created: int
    deleted: bool
    metadata: dict[str, Any] | None
    task: Task | None


class QueuedSuggestion(TypedDict, total=False):
    """A point that will be suggested before any other."""

    object: str
    id: Required[str]
    experiment: str
    assignments: Required[dict[str, Any]]
    created: int
    task: Task | None


class Observation(TypedDict, total=False):
    """A point with its measured values, or its failure. `id` is null for a dry run."""

    object: str
    id: Required[str | None]
    experiment: str
    suggestion: str | None
    assignments: Required[dict[str, Any]]
    failed: bool
    values: list[MetricEvaluation]
    value: float | None
    value_stddev: float | None
    created: int
    deleted: bool
    metadata: dict[str, Any] | None
    task: Task | None


class BestAssignments(TypedDict, total=False):
    """An observation that no other one beats."""

    object: str
    id: str | None
    assignments: Required[dict[str, Any]]
    values: list[MetricEvaluation]
    value: float | None
    value_stddev: float | None
    metadata: dict[str, Any] | None


class Bounds(TypedDict, total=False):
    """The least and the greatest value of a numeric parameter."""

    object: str
    min: Required[float]
    max: Required[float]


class CategoricalValue(TypedDict, total=False):
    """One value of a categorical parameter; `enum_index` counts from 1."""

    object: str
    name: Required[str]
    enum_index: int


class Parameter(TypedDict, total=False):
    """A parameter to tune."""

    object: str
    name: Required[str]
    type: Required[Literal["double", "int", "categorical"]]
    bounds: Required[Bounds | None]
    grid: Required[list[float] | None]
    categorical_values: Required[list[CategoricalValue] | None]
    transformation: str | None
    prior: dict[str, Any] | None
    default_value: float | str | None
    conditions: dict[str, list[str]]


class Metric(TypedDict, total=False):
    """A metric to optimize, to keep within a threshold, or to store."""

    object: str
    name: Required[str]
    objective: Literal["maximize", "minimize"]
    strategy: Literal["optimize", "constraint", "store"]
    threshold: Required[float | None]


class Progress(TypedDict, total=False):
    """How far an experiment is: training runs (AI experiments) or observations (core experiments)."""

    object: str
    total_run_count: int
    finished_run_count: int
    active_run_count: int
    remaining_budget: int | None
    observation_count: int
    observation_budget: float | None
    observation_budget_consumed: float
    first_observation: Observation | None
    last_observation: Observation | None
    best_observation: Observation | None


class Experiment(TypedDict, total=False):
    """An AI experiment, or a core one (`observation_budget`, `metric`, `development` and `tasks` in the place of `budget`)."""

    object: Required[str]
    id: Required[str]
    name: Required[str]
    client: str
    project: Required[str]
    user: str | None
    created: int
    updated: int
    state: Required[Literal["active", "deleted"]]
    type: Literal["offline", "random", "grid"]
    parallel_bandwidth: int | None
    num_solutions: int | None
    metadata: dict[str, Any] | None
    parameters: Required[list[Parameter]]
    metrics: Required[list[Metric]]
    conditionals: list[dict[str, Any]]
    linear_constraints: list[dict[str, Any]]
    progress: Required[Progress]
    runs_only: bool
    budget: int | None
    observation_budget: float | None
    development: bool
    metric: Metric
    tasks: list[Task]


class File(TypedDict, total=False):
    """A file of a training run: `upload` says where to send it, `download` where to get it."""

    object: str
    id: Required[str]
    client: str
    user: str
    created: int
    name: str | None
    filename: str | None
    content_length: int
    content_type: str
    content_md5: str
    upload: dict[str, Any]
    download: dict[str, Any]


class Paging(TypedDict):
    """Markers of the neighbouring pages; null where there is none."""

    before: str | None
    after: str | None


class Page(TypedDict, Generic[T]):
    """One page of a list."""

    object: NotRequired[str]
    data: list[T]
    count: int
    paging: Paging
    defined_fields: NotRequired[list[Any]]
