"""`python -m trialflow.service`: the service as a process of its own; TRIALFLOW_DATABASE_URL names its database."""

import argparse
import os
import sys
from pathlib import Path

from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.service.serving import serve


def main() -> int:
    """Serve until a signal; exit code 1 with a sentence on stderr if it cannot."""
    parser = argparse.ArgumentParser(prog="python -m trialflow.service")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--home", type=Path)
    asked = parser.parse_args()
    home = Home(asked.home.absolute()) if asked.home else Home.from_environment()
    try:
        serve(home, asked.host, asked.port, database_url=os.environ.get("TRIALFLOW_DATABASE_URL"))
    except TrialflowError as error:
        print(f"error: {error.message}", *([f"hint: {error.hint}"] if error.hint else []), sep="\n", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
