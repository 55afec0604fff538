"""The Kubernetes API as the rest of trialflow uses it: one connection, its credentials and TLS, plain JSON objects, errors for people.

It knows nothing of training runs, nor of what a cluster needs to be fit for them.
"""
