"""The service, or a self-hosted SigOpt server, as a Prefect block: its address and its token."""

from prefect.blocks.core import Block
from pydantic import Field, SecretStr


class TrialflowService(Block):
    """Where experiments live: a trialflow service or a self-hosted SigOpt server, with the token that it asks for."""

    _block_type_name = "trialflow service"
    _block_type_slug = "trialflow-service"
    _description = "Where experiments live: a trialflow service or a self-hosted SigOpt server, with the token that it asks for."
    _documentation_url = None

    url: str = Field(title="URL", description="Address of the API without /v1, such as http://127.0.0.1:8080.", pattern="^https?://")
    token: SecretStr = Field(title="Token", description="The API token. It is kept masked and never reaches a model.")
