"""Tokens for what reaches the service on behalf of one training run: its model on a cluster, or its launcher's relay."""

from collections.abc import Callable

from tasks.compute import Attempt
from tasks.experiments.client import ServiceClient, ServiceNotFound

OLD_SERVICE = "the service at {} has no tokens for single training runs: the models on this cluster, which reach it, are given yours"


class RunTokens:
    """Has the service issue a token for each attempt: good for its training run alone, and until that ends.

    A service without such tokens, as SigOpt's own, leaves only `token`, its user's; `on_trouble` is told so once.
    """

    def __init__(self, client: ServiceClient, token: str, *, on_trouble: Callable[[str], None] = lambda text: None) -> None:
        self._client = client
        self._token = token
        self._on_trouble = on_trouble
        self._is_told = False

    async def __call__(self, attempt: Attempt) -> str:
        """A token for the attempt. Raises `ServiceUnavailable` and `ServiceRefused`."""
        run = attempt.training_run_id
        try:
            return (await self._client.request("POST", "training_runs", run, "tokens", body={"attempt": attempt.number}))["token"]
        except ServiceNotFound:
            await self._client.run(run)  # the training run is there, so it is the path that is not
            if not self._is_told:
                self._is_told = True
                self._on_trouble(OLD_SERVICE.format(self._client.url))
            return self._token
