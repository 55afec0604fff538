"""`python -m trialflow`: the same as the command `trialflow`."""

from trialflow.cli.main import main

main()
