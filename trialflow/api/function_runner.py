"""Calls a Python function as the model of one training run: `python function_runner.py FILE [BYTES]`, started by the launcher like any other model.

FILE is a pickle of the function and of the path where its modules are found; BYTES is the most memory that it may use. What it returns is logged as
metrics with the `sigopt` client, which it may use itself as well. It runs in the user's Python and imports nothing of trialflow.
"""

import json
import os
import pickle
import resource
import sys
import traceback


def main(file, most_bytes=None):
    """Call the function with the assignments, and log what it returns."""
    if most_bytes is not None:
        limit(int(most_bytes))
    try:
        with open(file, "rb") as pickled:
            sent = pickle.load(pickled)
        sys.path[:] = sent["path"]
        function = pickle.loads(sent["function"])
        with open(os.environ["TRIALFLOW_CONTEXT_FILE"], encoding="utf-8") as context:
            assignments = json.load(context)["assignments"]
        log(metrics_of(function(dict(assignments)), os.environ.get("TRIALFLOW_FUNCTION_METRIC")))
    except MemoryError:
        traceback.print_exc()
        sys.exit("out of memory" + (f"; the limit is {most_bytes} bytes" if most_bytes else ""))
    except Exception as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without this file's own line
        traceback.print_exception(type(error), error, error.__traceback__)
        sys.exit(1)


def limit(most_bytes):
    """Limit what this process may allocate. Where Linux counts it, files that are only mapped do not count."""
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard), hard))


def metrics_of(result, name):
    """Metric -> (value, standard deviation or None) of what a function returned. `name` is that of the metric if there is only one."""
    if result is None:
        return {}  # it may have logged its metrics itself
    if not hasattr(result, "items"):
        if name is None:
            raise TypeError(f"the experiment has several metrics, so the function has to return a dict, not {result!r}")
        result = {name: result}
    return {str(metric): pair_of(metric, value) for metric, value in result.items()}


def pair_of(metric, value):
    """A value, or a value and its standard deviation, as floats."""
    number, deviation = tuple(value) if isinstance(value, (tuple, list)) and len(value) == 2 else (value, None)
    try:
        if isinstance(number, (str, bytes, bool)):
            raise TypeError
        return float(number), None if deviation is None else float(deviation)  # type: ignore[arg-type] - what is none is caught
    except (TypeError, ValueError):
        raise TypeError(f"the metric {metric} has to be a number, or a pair of it and its standard deviation, not {value!r}") from None


def log(metrics):
    """Log metrics with the client, which knows its training run from the environment."""
    import sigopt

    for name, (value, deviation) in metrics.items():
        sigopt.log_metric(name, value, stddev=deviation)


if __name__ == "__main__":
    main(*sys.argv[1:])
