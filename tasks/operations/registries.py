"""Who we are to the registry of a cluster."""

import asyncio

from tasks.images.login import Login
from tasks.kubernetes.client.cluster import Cluster


async def login_of(cluster: Cluster, repository: str | None = None) -> Login | None:
    """Who we are to the registry of a cluster on AWS, where a `repository` is made if it is missing; None if Docker's own login is to be used."""
    if cluster.provider != "aws":
        return None
    from tasks.aws.repositories import sign_in_to_push  # AWS's library is large, and no other cluster needs it

    return await asyncio.to_thread(sign_in_to_push, cluster, repository)
