"""All pictures of one experiment, in the order in which they are shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from trialflow.api_types import Experiment
from trialflow.results.pictures.checkpoints import checkpoint_metrics, curves
from trialflow.results.pictures.coordinates import parallel_coordinates
from trialflow.results.pictures.figure import Picture
from trialflow.results.pictures.front import front
from trialflow.results.pictures.labels import plain
from trialflow.results.pictures.parameters import against, importances
from trialflow.results.pictures.points import Point, optimized_metrics, shown_metrics
from trialflow.results.pictures.progress import By, best_so_far, history

Json = Mapping[str, Any]
BY: tuple[By, ...] = ("training runs", "time")


@dataclass(frozen=True)
class Entry:
    """A picture that can be made. Those of one `group` are shown one at a time, by their `choice`."""

    group: str
    choice: str
    make: Callable[[], Picture]


def catalogue(
    experiment: Experiment,
    points: Sequence[Point],
    *,
    beliefs: Sequence[Json] = (),
    checkpoints: Mapping[int, Sequence[Json]] | None = None,
    with_checkpoints: int | None = None,
) -> list[Entry]:
    """What can be drawn of this experiment.

    `beliefs` are the API's, for importances; `checkpoints` those of some of the training runs by their ids, oldest first, of `with_checkpoints`
    that have any.
    """
    metrics, known = shown_metrics(experiment), checkpoints or {}
    two = len(optimized_metrics(experiment)) == 2
    return [
        *(
            Entry("best", f"{plain(one['name'])}, over {by}", partial(best_so_far, experiment, one, points, by))
            for one in optimized_metrics(experiment) or metrics
            for by in BY
        ),
        *([Entry("front", "", partial(front, experiment, points))] if two else []),
        *(Entry("history", plain(one["name"]), partial(history, one, points)) for one in metrics),
        Entry("coordinates", "", partial(parallel_coordinates, experiment, points)),
        *(
            Entry("against", f"{plain(key['name'])} against {plain(one['name'])}", partial(against, experiment, key, one, points))
            for one in metrics
            for key in experiment["parameters"]
        ),
        *(
            Entry("importances", plain(one["metric"]), partial(importances, one["metric"], one["importances"]))
            for one in beliefs
            if one.get("importances")
        ),
        *(Entry("checkpoints", plain(name), partial(curves, name, points, known, total=with_checkpoints)) for name in checkpoint_metrics(known)),
    ]


def pictures_of(entries: Sequence[Entry], chosen: Mapping[str, str] | None = None) -> list[Picture]:
    """The pictures of a catalogue; with `chosen`, group -> choice, one of each group: the one chosen, else the first."""
    if chosen is None:
        return [one.make() for one in entries]
    picked: dict[str, Entry] = {}
    for one in entries:
        if one.group not in picked or one.choice == chosen.get(one.group):
            picked[one.group] = one
    return [one.make() for one in picked.values()]


def choices_of(entries: Sequence[Entry]) -> dict[str, list[str]]:
    """Group -> the choices that there are in it; groups with a single one are left out."""
    found: dict[str, list[str]] = {}
    for one in entries:
        found.setdefault(one.group, []).append(one.choice)
    return {group: choices for group, choices in found.items() if len(choices) > 1}
