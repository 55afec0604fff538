"""What Prefect keeps for trialflow: where the service is and its token. This room knows Prefect's blocks and nothing of flows or tasks."""

from blocks.service import TrialflowService

__all__ = ["TrialflowService"]
