"""Training runs as Kubernetes Jobs: the pod template, launching, watching, logs, and how each attempt ended.

It knows nothing of how a cluster is set up or checked (`tasks.kubernetes.cluster`).
"""
