"""How long a suggestion takes: `python -m benchmarks.optimizer.latency [--counts 50,200,1000,10000] [--repeats N]`.

Six numeric parameters and a category, four suggestions pending, each repeat with one observation more, so that hyperparameters are learned as
often as in an experiment. One process, one thread; peak memory is that of the whole process.
"""

import argparse
import os
import resource
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # before numpy is imported


def main() -> None:
    import numpy as np

    from benchmarks.figures import table
    from trialflow.optimizer import Metric, Observation, Parameter, Space, Value, suggest

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--counts", default="50,200,1000,10000")
    options.add_argument("--repeats", type=int, default=40)
    chosen = options.parse_args()
    numbers = tuple(Parameter(f"x{index}", "double", (0.0, 1.0)) for index in range(6))
    space = Space((*numbers, Parameter("kind", "categorical", categories=("a", "b", "c"))))
    kinds = {
        "one metric": [Metric("f")],
        "with failures and a constraint": [Metric("f"), Metric("g", "minimize", "constraint", 0.5)],
        "two metrics": [Metric("f"), Metric("g", "minimize")],
    }
    rows = []
    for count in map(int, chosen.counts.split(",")):
        for kind, metrics in kinds.items():
            rng = np.random.default_rng(0)

            def observed(rng: np.random.Generator = rng, can_fail: bool = "failures" in kind) -> Observation:
                x = rng.random(6)
                point = {one.name: float(value) for one, value in zip(numbers, x, strict=True)} | {"kind": "abc"[rng.integers(3)]}
                f, g = -float(np.sum((x - 0.4) ** 2)) + (point["kind"] == "b"), float(np.sum((x - 0.6) ** 2))
                is_failed = can_fail and rng.random() < 0.1
                return Observation(point, {} if is_failed else {"f": Value(f + 0.01 * rng.standard_normal()), "g": Value(g)}, is_failed)

            history = [observed() for _ in range(count)]
            pending = [observed().assignments for _ in range(4)]
            suggest(space, metrics, history, pending, seed=1)  # what an experiment that grew to this size has behind it
            times = []
            for _ in range(chosen.repeats):
                history.append(observed())
                before = time.perf_counter()
                suggest(space, metrics, history, pending, seed=1)
                times.append(1000 * (time.perf_counter() - before))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            rows.append([f"{count:,}", kind, f"{np.mean(times):.0f}", f"{np.quantile(times, 0.95):.0f}", f"{max(times):.0f}", f"{peak:.0f}"])
    print(table(["observations", "", "mean ms", "p95 ms", "slowest ms", "peak MB"], rows))


if __name__ == "__main__":
    main()
