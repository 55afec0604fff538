"""Which Prefect server the user has set, found without importing Prefect: that takes a second."""

import os
import tomllib
from pathlib import Path


def ui_of(url: str) -> str:
    """The UI of a Prefect server of ours at an address, with or without the API's path.

    It is the newer one of the two that Prefect has: the older one says "Page not found" to whoever follows a link before having signed in.
    """
    return f"{url.removesuffix('/api')}/v2"


def prefect_api_url() -> str | None:
    """The Prefect server that the user has set, by variable or by the active profile; None for the embedded one."""
    if url := os.environ.get("PREFECT_API_URL"):
        return url
    folder = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    try:
        profiles = tomllib.loads((folder / "profiles.toml").read_text())
    except (OSError, tomllib.TOMLDecodeError):
        return None
    active = os.environ.get("PREFECT_PROFILE") or profiles.get("active", "")
    return profiles.get("profiles", {}).get(active, {}).get("PREFECT_API_URL")
