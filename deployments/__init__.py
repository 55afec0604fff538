"""What can be triggered: a deployment of every operation, declared once. `prefect.yaml`, `trialflow deploy` and `trialflow up` are made from it.

This room knows the flows and Prefect's API, and nothing of how a flow does its work or of the command line.
"""
