"""The endpoints, one file for each kind of object. A route is its method, its path below /v1, and a coroutine that takes a `Call`."""

from trialflow.service.routes import analysis, core, experiments, observations, projects, runs, suggestions

# Looked through in order: what models and flows ask all the time comes first.
ROUTES = [
    *runs.HOT_ROUTES,
    *runs.ROUTES,
    *experiments.ROUTES,
    *projects.ROUTES,
    *core.ROUTES,
    *suggestions.ROUTES,
    *observations.ROUTES,
    *analysis.ROUTES,
]

__all__ = ["ROUTES"]
