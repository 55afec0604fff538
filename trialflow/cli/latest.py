"""The flow run that was started last in a project: by a command, in the UI or by a schedule."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.declared import OPTIMIZE
from tasks.projects import project_of_folder

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

PAGE = 100
SOON = timedelta(minutes=1)
"""One that begins so soon was started, by hand or by an automation; a later one is planned."""


async def last_started(client: "PrefectClient", project: str) -> "FlowRun | None":
    """The flow run of `optimize` that was started last in this project, ended or not; None if this Prefect server knows none."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterExpectedStartTime
    from prefect.client.schemas.sorting import FlowRunSort

    begun = FlowRunFilterExpectedStartTime(before_=datetime.now(UTC) + SOON)  # type: ignore[arg-type] - it takes a datetime
    seen = 0
    while True:
        page = await client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[OPTIMIZE.name])),
            flow_run_filter=FlowRunFilter(expected_start_time=begun),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=PAGE,
            offset=seen,
        )
        for run in page:
            is_planned = run.auto_scheduled and run.state is not None and run.state.is_scheduled()
            if not is_planned and project_of(run.parameters) == project:
                return run
        seen += len(page)
        if len(page) < PAGE:
            return None


def project_of(parameters: Mapping[str, Any]) -> str | None:
    """The project that a flow run with these parameters works in; None if they do not say. Pure."""
    if parameters.get("project"):
        return str(parameters["project"])
    return project_of_folder(Path(str(parameters["directory"]))) if parameters.get("directory") else None
