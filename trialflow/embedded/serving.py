"""`python -m trialflow.embedded.serving service|prefect HOME`: one server, on sockets that its host listens on already.

The host passes the sockets in TRIALFLOW_LISTEN_FDS, the TCP one first, and waits for a line on TRIALFLOW_READY_FD. Tokens are read from the home:
they are in no argument, and in no file that the host writes.
"""

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from trialflow.embedded.block_types import note_registration, registration_settings
from trialflow.embedded.page_policy import asking_nobody_else
from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.network import announce
from trialflow.postgres import for_prefect
from trialflow.prefect_api import ui_of

BATCHED = {
    # Measured: a quarter of the server's CPU per task run, and a UI that is 3 s behind instead of 53 s (docs/embedded.md).
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main(name: str, root: str) -> int:
    """Serve until a signal; exit code 1 with a sentence on stderr if it cannot."""
    os.umask(0o077)
    home = Home(Path(root))
    sockets = [socket.socket(fileno=int(number)) for number in os.environ.pop("TRIALFLOW_LISTEN_FDS").split(",")]
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    try:
        (serve_prefect if name == "prefect" else serve_service)(home, sockets, url)
    except TrialflowError as error:
        print(f"error: {error.message}", *([f"hint: {error.hint}"] if error.hint else []), sep="\n", file=sys.stderr)
        return error.exit_code
    return 0


def serve_service(home: Home, sockets: Sequence[socket.socket], url: str) -> None:
    """Serve the SigOpt-compatible API."""
    os.environ.update({**ONE_THREAD, "TRIALFLOW_HOME": str(home.root)})
    from trialflow.service.serving import open_service, run

    service = open_service(home)
    try:
        run(service, sockets[0], url, *sockets[1:])
    finally:
        service.close()


def serve_prefect(home: Home, sockets: Sequence[socket.socket], url: str) -> None:
    """Serve Prefect's API and UI: uvicorn runs its application directly, one process and one import of Prefect less than `prefect server start`."""
    os.environ.update(prefect_settings(home, url))
    import uvicorn

    # Prefect imports its settings here: from the variables above, and from no file of whatever folder this was started in.
    application = "prefect.server.api.server:create_app"
    config = uvicorn.Config(application, factory=True, log_level="warning", access_log=False, timeout_keep_alive=5)
    config.load()
    config.loaded_app = asking_nobody_else(config.loaded_app)
    server = uvicorn.Server(config)
    started = server.startup

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await started(sockets)
        note_registration(home)
        announce(url)

    server.startup = startup
    server.run(sockets=list(sockets))


def prefect_settings(home: Home, url: str) -> Mapping[str, str]:
    """The server's variables: its database (in the home, or the one that the home names), its address, its token, browsers from its address only."""
    return {
        **BATCHED,
        **registration_settings(home),
        "PREFECT_HOME": str(home.prefect),
        "PREFECT_PROFILES_PATH": str(home.prefect / "profiles.toml"),
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": url.rsplit(":", 1)[1],
        "PREFECT_SERVER_API_AUTH_STRING": f"trialflow:{home.prefect_token()}",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": url,
        "PREFECT_UI_API_URL": f"{url}/api",
        "PREFECT_UI_URL": ui_of(url),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
        "DO_NOT_TRACK": "1",
        **_pages(home),
        **(for_prefect(named) if (named := home.database_url()) else {}),
    }


def _pages(home: Home) -> Mapping[str, str]:
    """Where the files of the UI are written to when the server starts: into the home if Prefect's own folder is not ours to write to."""
    found = find_spec("prefect")
    folders = list(found.submodule_search_locations or []) if found else []
    if folders and os.access(Path(folders[0]) / "server", os.W_OK):
        return {}
    return {"PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home.prefect / "ui")}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
