"""Codes with which a browser signs in. Not a path of SigOpt's: `trialflow open` uses it."""

from trialflow.service import validation
from trialflow.service.requests import Call
from trialflow.service.sign_in import CODE_SECONDS
from trialflow.service.transport import Answer


async def create(call: Call) -> Answer:
    """POST /sign_in_codes: one that works once. With `user`, the id of a user of the service's machine, it works for that user alone."""
    validation.known_keys(call.body, ("user", "object"))
    user = call.body.get("user")
    if user is not None:
        user = validation.integer(user, ".user", least=0)
    return {"object": "sign_in_code", "code": call.service.sign_in.code(user), "seconds": CODE_SECONDS}


ROUTES = [("POST", "/sign_in_codes", create)]
