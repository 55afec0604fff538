"""The parameters of a deployment as JSON, from a folder with experiment.yml and run.yml.

python -m deployments.parameters ~/my-project | prefect deployment run optimize/optimize --params -
"""

import json
import sys
from pathlib import Path

from trialflow.errors import InvalidInput, TrialflowError
from trialflow.specs import file_of, load_experiment, load_run, parameter_of


def parameters(directory: Path) -> dict[str, object]:
    """What the flow `optimize` takes for the model in `directory`. Raises `InvalidInput` for AWS keys: Prefect's UI shows parameters."""
    run_file = file_of(directory / "run.yml")
    run = load_run(run_file)
    if run.aws is not None:
        message = f"{run_file} has AWS keys, and Prefect's UI shows the parameters of a flow"
        raise InvalidInput(
            message, hint="remove `aws:` from the file, and name an AWS credentials block as `aws` of the flow; on a cluster, as `cluster.aws`"
        )
    experiment = load_experiment(file_of(directory / "experiment.yml"))
    return {"directory": str(directory), "experiment": experiment.model_dump(mode="json", exclude_defaults=True), "run": parameter_of(run)}


def main() -> None:
    """Print the parameters of the folder that is named on the command line, or of this one."""
    try:
        print(json.dumps(parameters(Path(sys.argv[1] if len(sys.argv) > 1 else ".").expanduser().resolve())))
    except TrialflowError as error:
        sys.exit(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""))


if __name__ == "__main__":
    main()
