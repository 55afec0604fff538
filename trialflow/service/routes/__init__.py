"""The endpoints, one file for each kind of object. A route is its method, its path below /v1, and a coroutine that takes a `Call`."""

from trialflow.service.routes import core, experiments, projects, runs

ROUTES = [*projects.ROUTES, *runs.ROUTES, *experiments.ROUTES, *core.ROUTES]

__all__ = ["ROUTES"]
