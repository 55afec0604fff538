"""Compare optimizers.

`python -m benchmarks.optimizer [--set show|develop|causes|noisy] [--seeds N] [--budget N] [--open N] [--every N] [--peers a,b] [--results FILE]`

Searches that are in the results file already are not done again, so that it can be interrupted, and peers be added from another environment. Prints
the tables of all that the file has, and writes a picture of the curves beside it. Peers that are not installed are left out. One process, one thread.
"""

import argparse
import os
import sys
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # before numpy is imported
MORE_OF_RANDOM = 5
"""Random search costs next to nothing and is what all are measured by: it gets more seeds."""


def main() -> None:
    from benchmarks.optimizer.causes import CAUSES
    from benchmarks.optimizer.develop import DEVELOP
    from benchmarks.optimizer.noisy import NOISY
    from benchmarks.optimizer.peers import PEERS, is_installed
    from benchmarks.optimizer.report import by_problem, curves, summary
    from benchmarks.optimizer.results import Results, Search
    from benchmarks.optimizer.runner import search
    from benchmarks.optimizer.show import SHOW

    sets = {"show": SHOW, "develop": DEVELOP, "causes": CAUSES, "noisy": NOISY}
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--set", choices=tuple(sets), default="show")
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--budget", type=int, default=60)
    options.add_argument("--open", type=int, default=4, help="suggestions open at all times")
    options.add_argument("--peers", default=",".join(PEERS))
    options.add_argument("--problems", default="", help="names, separated by commas; all of the set if empty")
    options.add_argument("--every", type=int, default=1, help="take only every Nth problem of the set, the first one included")
    options.add_argument("--results", type=Path, default=Path("optimizer-results.jsonl"))
    options.add_argument("--tables-only", action="store_true", help="search nothing")
    options.add_argument("--picture", type=Path, help="where to write the curves (SVG)")
    chosen = options.parse_args()
    problems = {one.name: one for one in sets[chosen.set][:: chosen.every]}
    peers = list(dict.fromkeys(("random", *chosen.peers.split(","))))
    names = chosen.problems.split(",") if chosen.problems else list(problems)
    for option, named, known in (("--peers", peers, PEERS), ("--problems", names, problems)):
        if unknown := [name for name in named if name not in known]:
            options.error(f"{option}: there is no {', '.join(unknown)}; there are {', '.join(known)}")
    problems = {name: one for name, one in problems.items() if name in names}
    results = Results(chosen.results)
    for peer in [] if chosen.tables_only else peers:
        if not is_installed(peer):
            print(f"{peer} is not installed and is left out", file=sys.stderr)
            continue
        before = time.monotonic()
        for seed in range(chosen.seeds * (MORE_OF_RANDOM if peer == "random" else 1)):
            for problem in problems.values():
                one = Search(peer, problem.name, seed, chosen.budget, chosen.open)
                if one not in results:
                    results.add(one, search(PEERS[peer], problem, seed, chosen.budget, chosen.open))
        print(f"{peer}: {time.monotonic() - before:.0f} s", file=sys.stderr)
    traces = {
        peer: {name: searches[name] for name in problems if name in searches} for peer, searches in results.traces(chosen.budget, chosen.open).items()
    }
    searched = {name: None for searches in traces.values() for name in searches}
    if not searched:
        options.error(f"{chosen.results}: no search of these problems with budget {chosen.budget} and {chosen.open} open")
    if missing := [name for name in searched if name not in traces.get("random", {})]:
        options.error(f"{chosen.results}: nothing by random search, which all are measured by, of {', '.join(missing)}")
    budgets = [at for at in (15, 30, 60, 120, 200) if at <= chosen.budget] or [chosen.budget]
    print(f"{len(problems)} problems of the set `{chosen.set}`, {chosen.open} open at all times; regret: random search = 1, optimum = 0\n")
    print(summary(traces, budgets), end="\n\n")
    print(by_problem(traces, budgets))
    if chosen.picture:
        chosen.picture.write_text(curves(traces))


if __name__ == "__main__":
    main()
