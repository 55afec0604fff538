"""Deployments beside those of prefect.yaml: manifests for a server of one's own will be here."""
