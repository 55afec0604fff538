"""What Prefect keeps for trialflow: where the service is and its token, clusters, AWS credentials, registries.

This room knows Prefect's blocks and nothing of flows or tasks."""

from blocks.cluster import TrialflowCluster
from blocks.registry import ImageRegistry
from blocks.service import TrialflowService

__all__ = ["ImageRegistry", "TrialflowCluster", "TrialflowService"]
