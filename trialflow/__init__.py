"""trialflow tunes models on the user's own compute, with SigOpt's files and client and Prefect flows underneath.

```python
import trialflow

experiment = trialflow.optimize("experiment.yml", run="python model.py")
print(experiment.best())
```
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialflow.api.asking import Optimizer as Optimizer
    from trialflow.api.connecting import connect as connect
    from trialflow.api.experiment import Experiment as Experiment
    from trialflow.api.experiment import TrainingRun as TrainingRun
    from trialflow.api.experiment import create_experiment as create_experiment
    from trialflow.api.experiment import experiment as experiment
    from trialflow.api.experiment import experiments as experiments
    from trialflow.api.optimizing import optimize as optimize
    from trialflow.errors import ExperimentFailed as ExperimentFailed
    from trialflow.errors import InvalidInput as InvalidInput
    from trialflow.errors import LimitReached as LimitReached
    from trialflow.errors import TrialflowError as TrialflowError

__version__ = "0.1.0"
PUBLIC = {
    "Experiment": "trialflow.api.experiment",
    "ExperimentFailed": "trialflow.errors",
    "InvalidInput": "trialflow.errors",
    "LimitReached": "trialflow.errors",
    "Optimizer": "trialflow.api.asking",
    "TrainingRun": "trialflow.api.experiment",
    "TrialflowError": "trialflow.errors",
    "connect": "trialflow.api.connecting",
    "create_experiment": "trialflow.api.experiment",
    "experiment": "trialflow.api.experiment",
    "experiments": "trialflow.api.experiment",
    "optimize": "trialflow.api.optimizing",
}
"""The public names, and where each is: loaded when it is first used, so that `import trialflow` costs nothing."""


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'trialflow' has no attribute {name!r}")
    found = getattr(import_module(PUBLIC[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *PUBLIC})
