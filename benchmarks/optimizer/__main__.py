"""Compare optimizers: `python -m benchmarks.optimizer [--set proving|development] [--seeds N] [--budget N] [--open N] [--peers a,b] [--output DIR]`.

Prints the tables and writes `traces.json` and `curves.svg`. Optuna is compared with where it is installed. One process, one thread.
"""

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # before numpy is imported


def main() -> None:
    from benchmarks.optimizer.peers import PEERS
    from benchmarks.optimizer.problems import DEVELOPMENT, PROVING
    from benchmarks.optimizer.report import by_problem, curves, summary
    from benchmarks.optimizer.runner import search

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--set", choices=("proving", "development"), default="proving")
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--budget", type=int, default=60)
    options.add_argument("--open", type=int, default=4, help="suggestions open at all times")
    options.add_argument("--peers", default=",".join(PEERS))
    options.add_argument("--problems", default="")
    options.add_argument("--output", type=Path)
    chosen = options.parse_args()
    peers = {name: PEERS[name] for name in dict.fromkeys(["random", *chosen.peers.split(",")]) if name in PEERS}
    if importlib.util.find_spec("optuna") is None:
        peers.pop("optuna tpe", None)
        print("optuna is not installed and is left out: `uv sync --group benchmarks` has it", file=sys.stderr)
    problems = [one for one in (PROVING if chosen.set == "proving" else DEVELOPMENT) if not chosen.problems or one.name in chosen.problems.split(",")]
    traces: dict[str, dict[str, list[list[float]]]] = {}
    cpu: dict[str, float] = {}
    for peer, make in peers.items():
        # Random search costs next to nothing and is what all are measured by: it gets more seeds.
        seeds = range(chosen.seeds * 5 if peer == "random" else chosen.seeds)
        found = {problem.name: [search(make, problem, seed, chosen.budget, chosen.open) for seed in seeds] for problem in problems}
        traces[peer] = {name: [trace.best for trace in every] for name, every in found.items()}
        cpu[peer] = sum(trace.cpu for every in found.values() for trace in every) / sum(len(every) for every in found.values())
    budgets = [at for at in (15, 30, 60, 120) if at <= chosen.budget] or [chosen.budget]
    print(f"{len(problems)} {chosen.set} problems, {chosen.seeds} seeds, {chosen.open} open at all times; regret: random search = 1, optimum = 0\n")
    print(summary(traces, budgets, cpu))
    print()
    print(by_problem(traces, budgets))
    if chosen.output:
        chosen.output.mkdir(parents=True, exist_ok=True)
        (chosen.output / "traces.json").write_text(json.dumps({"traces": traces, "cpu": cpu}))
        (chosen.output / "curves.svg").write_text(curves(traces))


if __name__ == "__main__":
    main()
