"""The fuzz suites at full size: `python -m tests.fuzz [--examples 100] [--seed 1] [--minutes 60] [-- OPTION OF PYTEST...]`.

The reader of a pod's log, every route on SQLite and PostgreSQL, and hostile models. What is sent depends on the seed alone. Ends with 0 if nothing
was found, 1 if something was, 3 if the time was not enough for all of it. `make test` runs the same suites with fewer examples.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SUITES = ("tests/kubernetes/test_log_fuzz.py", "tests/service/test_fuzz.py", "tests/local/test_hostile.py")
ON_A_CLUSTER = "tests/kubernetes/test_hostile.py"
EXAMPLES = 100
GRACE_SECONDS = 60.0


def main() -> int:
    """Run them; what pytest prints is what is seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="requests for each route and database; ten times as many logs (default 100)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default 1)")
    parser.add_argument("--minutes", type=float, default=60, help="when to give up (default 60)")
    parser.add_argument("options", nargs="*", help="options of pytest, after --")
    asked = parser.parse_args()
    suites = [*SUITES, *([ON_A_CLUSTER] if os.environ.get("TRIALFLOW_TEST_KUBECONFIG") else [])]
    command = [sys.executable, "-m", "pytest", "-q", "-rs", *suites, *asked.options]
    variables = {**os.environ, "TRIALFLOW_FUZZ_EXAMPLES": str(asked.examples), "TRIALFLOW_FUZZ_SEED": str(asked.seed)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it is ignored, by whatever is started here too
    begun = time.monotonic()
    tests = subprocess.Popen(command, env=variables, cwd=Path(__file__).parents[1])
    try:
        code = tests.wait(asked.minutes * 60)
        ending = "nothing was found" if code == 0 else f"something was found, or pytest could not run (its exit code is {code})"
    except subprocess.TimeoutExpired:
        tests.send_signal(signal.SIGINT)  # pytest says what it has found until now, and the fixtures clean up
        try:
            tests.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            tests.kill()
        code, ending = 3, "the time was not enough for all of it"
    print(f"{asked.examples} examples, seed {asked.seed}, {(time.monotonic() - begun) / 60:.0f} minutes: {ending}")
    return code


if __name__ == "__main__":
    sys.exit(main())
