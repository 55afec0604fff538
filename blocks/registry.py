"""An image registry as a Prefect block: where it is and who one is to it."""

from prefect.blocks.core import Block
from pydantic import Field, SecretStr


class ImageRegistry(Block):
    """Where images of models are pushed to: a registry with a login. Without a login, that of `docker login` is used."""

    _block_type_name = "trialflow image registry"
    _block_type_slug = "trialflow-image-registry"
    _description = "Where images of models are pushed to: a registry with a login. Without a login, that of `docker login` is used."
    _documentation_url = None

    registry: str = Field(title="Registry", description="host[:port][/path], such as registry.example.com:5000/team; docker.io/USER for Docker Hub.")
    username: str = Field(default="", title="User name", description="For registries that ask for a login.")
    password: SecretStr = Field(default=SecretStr(""), title="Password", description="A password or an access token. It is kept masked.")
    insecure: bool = Field(default=False, title="Insecure", description="It has no TLS, or a certificate of its own making.")
