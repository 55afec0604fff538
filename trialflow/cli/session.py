"""The sessions of commands, which are those of the Python API."""

from trialflow.api.session import Session, flow_session, service_session

__all__ = ["Session", "flow_session", "service_session"]
