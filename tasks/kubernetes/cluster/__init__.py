"""A cluster as a place to work: saved clusters, access rights, installation, nodes and their capacity.

It knows nothing of training runs (`tasks.kubernetes.jobs`).
"""
