"""`trialflow doctor`: problems of this machine, each with its fix."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import click

from trialflow.api.environment import gone_service, ignored_variable, unset
from trialflow.cli.diagnosis import libraries, network, prefect_server, version_of_server
from trialflow.cli.environment import SHELL
from trialflow.cli.terminal.output import output_option, show
from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.results.checks import CHECK_COLUMNS, Check, check_rows, problems

LEAST_FREE = 1 << 30
CLUSTER_SECONDS = 10.0


@click.command()
@output_option
def doctor(output: str) -> int:
    """Check this machine for problems. The exit code is 1 if trialflow cannot work here."""
    home = Home.from_environment()
    checks: list[Callable[[], Check]] = [
        python,
        lambda: home_folder(home),
        lambda: disk(home),
        lambda: service(home),
        prefect,
        lambda: libraries(version("prefect"), version("sqlalchemy")),
        lambda: network(SHELL),
        model_python,
        git,
        docker,
        kubeconfig,
        lambda: cluster(home),
        lambda: registry(home),
        aws,
        lambda: spec("experiment"),
        lambda: spec("run"),
    ]
    with ThreadPoolExecutor(len(checks)) as together:
        findings = [asked.result() for asked in [together.submit(check) for check in checks]]
    show([asdict(one) for one in findings], output=output, names=problems(findings), columns=CHECK_COLUMNS, rows=check_rows(findings))
    return 1 if any(one.state == "fail" for one in findings) else 0


def python() -> Check:
    """The Python that executes trialflow."""
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}")


def home_folder(home: Home) -> Check:
    """Whether TRIALFLOW_HOME can be written and is private."""
    try:
        home.make(home.root)
        probe = home.root / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Check("home", "fail", f"{home.root} cannot be written: {error.strerror}", "set TRIALFLOW_HOME to a folder of yours")
    if home.root.stat().st_mode & 0o077:
        return Check("home", "warn", f"{home.root} can be read by others", f"`chmod 700 {home.root}`")
    return Check("home", "ok", str(home.root))


def disk(home: Home) -> Check:
    """Free space for databases and logs."""
    folder = next(path for path in (home.root, *home.root.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    text = f"{free / (1 << 30):.1f} GiB free at {folder}"
    return Check("disk", "ok", text) if free >= LEAST_FREE else Check("disk", "fail", text, "free some space: databases and logs go there")


def service(home: Home) -> Check:
    """Whether the service answers, or can be started."""
    import urllib.error

    from trialflow.embedded import answers, lease, service_server

    if gone := gone_service(os.environ):
        return Check("service", "fail", f"SIGOPT_API_URL is {gone}, which has been shut down", unset(os.environ))
    if ignored := ignored_variable(os.environ):
        return Check("service", "warn", f"{ignored} is set alone and is ignored", unset(os.environ))
    url = os.environ.get("SIGOPT_API_URL")
    if url and os.environ.get("SIGOPT_API_TOKEN"):
        if answers(f"{url.rstrip('/')}/health"):
            return Check("service", "ok", f"{url} answers (SIGOPT_API_URL)")
        return Check("service", "fail", f"{url} does not answer (SIGOPT_API_URL)", "start it, or unset SIGOPT_API_URL to use the one on this machine")
    try:
        with lease(service_server(home)) as held:
            state = "starts" if held.started_it else "runs"
            return Check("service", "ok", f"{state} at {held.url}") if answers(f"{held.url}/health") else Check("service", "fail", "does not answer")
    except (TrialflowError, urllib.error.URLError) as error:
        lines = str(error).strip().splitlines()
        return Check("service", "fail", lines[-1].strip(), f"the log is {home.logs / 'service.log'}")


def prefect() -> Check:
    """The Prefect server that flows will use."""
    from trialflow.embedded import answers
    from trialflow.prefect_api import prefect_api_url

    if (url := prefect_api_url()) is None:
        return Check("prefect", "ok", f"{version('prefect')}; commands start a server when they need one")
    if answers(f"{url.rstrip('/')}/health"):
        return prefect_server(url, version("prefect"), version_of_server(url, os.environ))
    return Check("prefect", "fail", f"{url} does not answer (PREFECT_API_URL)", "start it, or unset PREFECT_API_URL so that commands start their own")


def model_python() -> Check:
    """The Python that models run under, and whether it has the client."""
    for name in ("python", "python3"):
        if path := shutil.which(name):
            found = _said([path, "-c", "import importlib.metadata as m, platform; print(platform.python_version(), m.version('sigopt'))"])
            if found:
                return Check("model's python", "ok", f"{path}: Python {found.split()[0]}, sigopt {found.split()[1]}")
            fix = f"`{name} -m pip install sigopt` if your model uses the client; models that print their metrics need none"
            return Check("model's python", "warn", f"{path} has no sigopt client", fix)
    return Check("model's python", "warn", "no python in PATH", "install Python if your model is written in it")


def git() -> Check:
    """git, for the commit that is stored with each training run."""
    if found := _said(["git", "--version"]):
        return Check("git", "ok", found)
    return Check("git", "warn", "not found", "install it to store the commit with each training run")


def docker() -> Check:
    """The Docker engine, for images for clusters; who names images that exist needs none."""
    import asyncio

    from tasks.images.engine import check_engine

    try:
        found = asyncio.run(check_engine())
    except TrialflowError as error:
        return _without_images("docker", error)
    return Check("docker", "ok", f"engine {found.version} for {found.platform} at {found.address}")


def kubeconfig() -> Check:
    """The kubeconfig, for clusters."""
    path = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    if path.exists():
        return Check("kubeconfig", "ok", str(path))
    return Check("kubeconfig", "warn", "not set up", "only needed for clusters")


def cluster(home: Home) -> Check:
    """The current cluster, and whether it answers."""
    import asyncio

    from tasks.kubernetes.client.connection import open_cluster
    from tasks.kubernetes.cluster.checks import api_server
    from tasks.kubernetes.cluster.saved import Clusters

    known = Clusters(home)
    if not known.names():
        return Check("cluster", "warn", "none is connected", "`trialflow cluster connect` connects one")

    async def ask() -> Check:
        found = known.load()
        async with asyncio.timeout(CLUSTER_SECONDS), open_cluster(found) as connection:
            version, seconds = await api_server(connection)
        return Check("cluster", "ok", f"{found.name}: Kubernetes {version} at {connection.server} answers in {seconds * 1000:.0f} ms")

    name = known.current() or "the cluster"
    try:
        return asyncio.run(ask())
    except TimeoutError:
        return Check("cluster", "warn", f"{name} has not answered for {CLUSTER_SECONDS:.0f} s", "`trialflow cluster test`")
    except TrialflowError as error:
        return Check("cluster", "warn", f"{name}: {error.message}", error.hint)


def registry(home: Home) -> Check:
    """Whether this folder's image could be pushed to the registry of the current cluster. Nothing is left there."""
    import asyncio

    from tasks.images.registry import check_push
    from tasks.images.repository import image_name, repository_of
    from tasks.kubernetes.cluster.saved import Clusters

    known = Clusters(home)
    if not known.names():
        return Check("registry", "warn", "not set up", "only needed for clusters")
    try:
        named = known.load().registry
        if named is None:
            return Check("registry", "ok", "the cluster has none: images go to Docker Hub (not tried)")
        repository = repository_of(image_name(Path.cwd().name), registry=named)
        asyncio.run(check_push(repository))
    except TrialflowError as error:
        return _without_images("registry", error)
    return Check("registry", "ok", f"images can be pushed to {repository}")


def _without_images(what: str, error: TrialflowError) -> Check:
    return Check(what, "warn", error.message, "only needed to build images for clusters" + (f": {error.hint}" if error.hint else ""))


def aws() -> Check:
    """AWS credentials, for clusters on AWS."""
    if os.environ.get("AWS_ACCESS_KEY_ID") or os.environ.get("AWS_PROFILE") or (Path.home() / ".aws").exists():
        return Check("aws", "ok", "credentials are set up (not tried)")
    return Check("aws", "warn", "not set up", "only needed for clusters on AWS")


def spec(kind: str) -> Check:
    """Whether the file of this folder is valid."""
    from trialflow.specs import SpecError, file_of, load_experiment, load_run

    name = str(file_of(f"{kind}.yml"))
    if not Path(name).exists():
        return Check(name, "warn", "not in this folder", "`trialflow init` writes one")
    try:
        load_experiment(name) if kind == "experiment" else load_run(name)
    except SpecError as error:
        return Check(name, "fail", str(error.problems[0]), f"{len(error.problems)} problems" if len(error.problems) > 1 else None)
    return Check(name, "ok", "valid")


def _said(command: list[str]) -> str | None:
    """The first line that a command prints; None if it cannot be run, fails, or takes longer than 5 s."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0] if lines else None
