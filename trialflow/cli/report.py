"""`trialflow experiment report`: one file to send to somebody, or one image for each picture."""

import asyncio
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trialflow.api.session import service_session
from trialflow.api_types import TrainingRun
from trialflow.cli.files import write_file
from trialflow.cli.options import project_here, project_option
from trialflow.cli.terminal.messages import say, warn
from trialflow.errors import InvalidInput, TrialflowError

if TYPE_CHECKING:
    from tasks.experiments.client import ServiceClient

MOST_CURVES = 100
"""Training runs whose checkpoints are in the report, the newest."""
WIDTH, HEIGHT = 1000, 560


@click.command()
@click.argument("identifier", metavar="[ID]", required=False)
@project_option
@click.option("-o", "--output", metavar="FILE", help="The file to write, such as report.html; with --to, the folder.")
@click.option("--to", type=click.Choice(["html", "png", "svg"]), default="html", show_default=True, help="One page, or one image for each picture.")
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True, help="The colors of images.")
def report(identifier: str | None, project: str | None, output: str | None, to: str, theme: str) -> None:
    """Write the results of an experiment as one HTML file that needs no network and no server.

    With `--to png` or `--to svg`, each picture becomes an image in a folder. That takes the extra `pictures` and a Chrome or Chromium.
    """
    if to != "html":
        check_images()
    asyncio.run(_report(identifier, project, output, to, theme))


def check_images() -> None:
    """Raise `InvalidInput` unless images can be made here."""
    if find_spec("kaleido") is None:
        raise InvalidInput("images need kaleido, which is not installed", hint="`pip install 'trialflow[pictures]'`, or leave out --to")


async def _report(identifier: str | None, project: str | None, output: str | None, to: str, theme: str) -> None:
    async with service_session() as (_, client):
        from tasks.experiments.identifiers import find_experiment

        one = await find_experiment(client, identifier, project_here(project))
        runs = await client.runs(one["project"], experiment_id=one["id"])
        best = await client.best_runs(one["id"])
        believed = await beliefs_of(client, one["id"])
        checkpoints = await _checkpoints(client, runs)
    if to == "html":
        from trialflow.results.offline import report_html

        path = Path(output or f"experiment-{one['id']}.html")
        made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        write_file(path, report_html(one, runs, best, believed, checkpoints, made=made))
        say(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB): open it in a browser, or send it")
    else:
        _write_images(Path(output or f"experiment-{one['id']}"), one, runs, believed, checkpoints, to, theme)


async def beliefs_of(client: "ServiceClient", experiment_id: str) -> list[dict[str, Any]]:
    """What the optimizer expects; nothing from a service without that path, such as SigOpt's own."""
    from tasks.experiments.client import ServiceNotFound, ServiceRefused

    try:
        return (await client.request("GET", "aiexperiments", experiment_id, "beliefs"))["data"]
    except (ServiceNotFound, ServiceRefused):
        return []


async def _checkpoints(client: "ServiceClient", runs: Sequence[TrainingRun]) -> dict[int, list[Any]]:
    """The checkpoints of the newest training runs that have any, oldest first."""
    some = [run for run in runs if run.get("checkpoint_count")]
    if len(some) > MOST_CURVES:
        warn(f"{len(some)} training runs have checkpoints; those of the newest {MOST_CURVES} are drawn")
        some = sorted(some, key=lambda run: int(run["id"]))[-MOST_CURVES:]
    found = await asyncio.gather(*(client.checkpoints(run["id"]) for run in some))
    return {int(run["id"]): checkpoints[::-1] for run, checkpoints in zip(some, found, strict=True)}


def _write_images(folder: Path, experiment: Any, runs: Any, believed: Any, checkpoints: Any, kind: str, theme: str) -> None:
    """Write an image for each picture. Raises `TrialflowError` if kaleido finds no browser, or the folder cannot be written."""
    import plotly.graph_objects as go
    import plotly.io

    from trialflow.results.pictures import catalogue, pictures_of, points_of, themed

    entries = catalogue(experiment, points_of(runs), beliefs=believed, checkpoints=checkpoints, with_checkpoints=len(checkpoints))
    pictures = {one.name: one for one in pictures_of(entries) if one.figure["data"]}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"cannot write to {folder}: {error.strerror}", hint="choose a folder with -o") from error
    figures = []
    for one in pictures.values():
        figure = go.Figure(themed(one.figure, theme))
        figure.update_layout(title={"text": one.title, "x": 0.02}, margin={"t": 90})
        figures.append(figure)
    files: list[str | Path] = [folder / f"{name}.{kind}" for name in pictures]
    try:
        plotly.io.write_images(figures, files, format=kind, width=WIDTH, height=HEIGHT, scale=2)
    except Exception as error:  # noqa: BLE001 - kaleido raises errors of the browser that it drives, of many kinds
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise TrialflowError(f"the images could not be made: {reason}", hint="kaleido needs Chrome or Chromium; BROWSER_PATH names one") from error
    say(f"wrote {len(files)} images to {folder}")
