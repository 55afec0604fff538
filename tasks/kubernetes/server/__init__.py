"""trialflow's own server on a cluster: what it is made of, how it is put there, found and taken away.

It knows nothing of experiments, and neither of training runs (`tasks.kubernetes.jobs`).
"""
