"""Tokens for the models that reach the service: one for each attempt of a training run. No part of SigOpt's API; see `store/run_tokens.py`."""

from trialflow.service import serializers, validation
from trialflow.service.requests import Call
from trialflow.service.store import run_tokens as store
from trialflow.service.transport import Answer


async def create(call: Call) -> Answer:
    """POST /training_runs/{id}/tokens: a token that is good for this training run alone, until it ends. Tokens of attempts before `attempt` end."""
    validation.known_keys(call.body, ("attempt", "object"))
    attempt = validation.integer(call.body.get("attempt", 1), ".attempt", least=1, most=2**31 - 1)
    row, token = await call.do(lambda connection: store.issue(connection, call.path["id"], attempt))
    return serializers.token(str(token), experiment=row["experiment"], training_run=row["id"])


ROUTES = [("POST", "/training_runs/{id}/tokens", create)]
