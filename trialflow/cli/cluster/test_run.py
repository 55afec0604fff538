"""`trialflow cluster test-run`: SigOpt's name for a training run that one watches."""

from trialflow.cli.cluster.run import run as test_run

__all__ = ["test_run"]
