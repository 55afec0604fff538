"""Clusters on AWS, by direct calls of its API: what is wanted, what exists, the plan between the two, and one file for each kind of resource.

Every resource carries a tag with the cluster's name; `ensure_*` looks for it before it creates one, `delete_*` takes "not found" for done. So a
second run goes on where the first one stopped. This room knows EKS, and nothing of training runs.
"""
