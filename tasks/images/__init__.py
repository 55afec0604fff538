"""Container images: what a registry knows of one, and how a user's directory becomes one. This room speaks to the Docker engine and to registries.

It knows nothing of clusters, of the service, or of Prefect's flows.
"""
