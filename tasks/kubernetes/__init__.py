"""Training runs as Kubernetes Jobs, and what has to be known of a cluster for that. This room speaks the Kubernetes API, through kubernetes_asyncio.

It knows nothing of the service, of Prefect's flows, or of how images are made.
"""
