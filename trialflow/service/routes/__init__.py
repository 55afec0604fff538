"""The endpoints, one file for each kind of object. A route is its method, its path below /v1, and a coroutine that takes a `Call`."""

from trialflow.service.routes import analysis, experiments, files, observations, projects, run_tokens, runs, sign_in, suggestions, workers

# Tried in order: what models and flows request all the time comes first.
ROUTES = [
    *runs.HOT_ROUTES,
    *runs.ROUTES,
    *files.ROUTES,
    *experiments.ROUTES,
    *projects.ROUTES,
    *suggestions.ROUTES,
    *observations.ROUTES,
    *analysis.ROUTES,
    *workers.ROUTES,
    *run_tokens.ROUTES,
    *sign_in.ROUTES,
]

__all__ = ["ROUTES"]
