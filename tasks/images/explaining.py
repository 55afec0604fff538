"""What the Docker engine's words mean, and what to do about them. Pure: words in, an error for people out."""

import fnmatch
import re

from tasks.images.context import SECRET, SPECS, SUSPECT
from tasks.images.errors import BuildFailed, EngineUnavailable, PushFailed, RegistryRefused, RegistryUnavailable
from tasks.images.login import how_to_log_in
from tasks.images.references import ANOTHER_REGISTRY, parse
from trialflow.errors import InvalidInput, TrialflowError

LAST_LINES = 20
REFUSED = re.compile(
    r"unauthorized|denied|no basic auth credentials|authentication required|authorization failed|forbidden|\b40[13]\b", re.IGNORECASE
)
NO_SPACE = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
PLAIN = re.compile(r"server gave HTTP response to HTTPS client", re.IGNORECASE)
TLS = re.compile(r"x509: [^\"\n]*|tls: [^\"\n]*", re.IGNORECASE)
NO_REPOSITORY = re.compile(r"repository .*does not exist|name unknown|repository name not known", re.IGNORECASE)
AWAY = re.compile(
    r"dial tcp[^\"\n]*|no such host|connection re(?:fused|set)[^\"\n]*|i/o timeout|TLS handshake timeout|unexpected EOF|\bEOF\b|broken pipe"
    r"|Client\.Timeout[^\"\n]*|\b50[0234]\b[^\"\n]*|too ?many ?requests|server misbehaving",
    re.IGNORECASE,
)
NOT_IN_CONTEXT = re.compile(r"(?:COPY|ADD) failed: (?:file not found in build context or excluded by \.dockerignore: )?(?:stat )?(?P<path>[^\s:]+)")
NOT_IN_BUILDKITS = re.compile(r"(?:compute cache key|calculate checksum).*?\"(?P<path>[^\"]+)\":? not found")
WRAPPED = re.compile(r"^(?:failed to (?:build|solve)(?: with frontend [\w.]+)?: |rpc error: code = \w+ desc = |failed to create LLB definition: )+")
BASE = re.compile(r"failed to (?:do request|resolve source metadata|authorize|fetch)|failed commit on ref", re.IGNORECASE)
"""BuildKit pulls base images before there are steps."""
NO_NETWORK = re.compile(
    r"Temporary failure in name resolution|Could not resolve|Name or service not known|Network is unreachable|Failed to establish a new connection",
    re.IGNORECASE,
)
NO_BASE = re.compile(r"(?:manifest|tag) .*(?:not found|unknown)|manifest unknown|pull access denied|repository does not exist", re.IGNORECASE)


def build_error(said: str, *, step: str = "", printed: list[str] | tuple[str, ...] = ()) -> TrialflowError:
    """The error for a build that ended with the words `said`, in the Dockerfile's `step`, after `printed` lines of that step."""
    where = f" in {step}" if step else ""
    shown = "\n".join(["", *("  | " + line[:300] for line in list(printed)[-LAST_LINES:])]) if printed else ""
    said = WRAPPED.sub("", " ".join(said.split()))
    everything = "\n".join((said, *printed))
    if NO_SPACE.search(everything):
        hint = "make room: `docker system df` shows what takes it, `docker system prune` removes what is not used"
        return BuildFailed(f"the image could not be built: no space is left on the Docker engine's disk{where}{shown}", hint=hint)
    if match := NOT_IN_CONTEXT.search(said) or NOT_IN_BUILDKITS.search(said):
        return InvalidInput(
            f"the image could not be built: the Dockerfile copies a file that is not sent{where}: {said}", hint=_copy_hint(match["path"])
        )
    if re.search(r": FROM\b", step, re.IGNORECASE) or BASE.search(said):
        if PLAIN.search(said) or TLS.search(said) or AWAY.search(said):
            return RegistryUnavailable(f"the base image could not be pulled{where}: {said}", hint="check that its registry can be reached from here")
        if NO_BASE.search(said) or REFUSED.search(said):
            return BuildFailed(
                f"the base image could not be had{where}: {said}", hint="check its name and tag, or log in to its registry: `docker login`"
            )
    if re.search(r"dockerfile parse error|unknown instruction|unknown flag|cannot be empty|no build stage in current context", said, re.IGNORECASE):
        return InvalidInput(f"the Dockerfile is wrong: {said}", hint="mend that line")
    if re.search(r"exec format error", everything):
        hint = "build for the engine's own platform, or set up emulation: `docker run --privileged --rm tonistiigi/binfmt --install all`"
        return BuildFailed(f"the image could not be built{where}: this machine cannot execute programs of that platform{shown}", hint=hint)
    hint = (
        "a build has no network here; check the engine's network and proxy" if NO_NETWORK.search(everything) else "mend that step of the Dockerfile"
    )
    return BuildFailed(f"the image could not be built{where}: {said}{shown}", hint=hint)


def push_error(said: str, reference: str) -> TrialflowError:
    """The error for a push of `reference` that ended with the words `said`."""
    name = parse(reference)
    said = " ".join(said.split())
    tried = f"the image could not be pushed to {name.name}"
    if NO_REPOSITORY.search(said):
        return RegistryRefused(f"{tried}: the registry has no such repository: {said}", hint=f"make the repository first, or {ANOTHER_REGISTRY}")
    if PLAIN.search(said):
        return RegistryUnavailable(
            f"{tried}: the registry speaks plain http and Docker expects TLS",
            hint=f'add "{name.registry}" to "insecure-registries" of Docker\'s daemon.json and restart Docker',
        )
    if match := TLS.search(said):
        hint = f"put its authority's certificate at /etc/docker/certs.d/{name.registry}/ca.crt"
        return RegistryUnavailable(f"{tried}: no TLS connection: {match[0]}", hint=hint)
    if REFUSED.search(said):
        return RegistryRefused(f"{tried}: the registry refused it: {said}", hint=how_to_log_in(name.registry))
    if NO_SPACE.search(said):
        return PushFailed(f"{tried}: no space is left on a disk: {said}", hint="make room in the registry or on the Docker engine's disk")
    if match := AWAY.search(said):
        return RegistryUnavailable(f"{tried}: {said}", hint="check the registry's name and port, and that Docker can reach it")
    return PushFailed(f"{tried}: {said}")


def engine_error(error: BaseException, address: str) -> EngineUnavailable:
    """The error for a Docker engine at `address` that cannot be spoken to."""
    seen: BaseException | None = error
    words = str(error)
    while seen is not None:
        if isinstance(seen, PermissionError):
            return EngineUnavailable(
                f"this user may not speak to the Docker engine at {address}: {seen.strerror}",
                hint="`sudo usermod -aG docker $USER` and log in anew, or use a rootless Docker",
            )
        if isinstance(seen, FileNotFoundError):
            words = "there is no such socket"
        elif isinstance(seen, ConnectionRefusedError):
            words = "nothing listens there"
        seen = seen.__cause__ or seen.__context__
    return EngineUnavailable(
        f"no Docker engine answers at {address}: {' '.join(words.split())}",
        hint="start Docker, or set DOCKER_HOST to where it is; an image that is ready can be named as `image:` in run.yml instead",
    )


def _copy_hint(path: str) -> str:
    name = path.strip("/").rpartition("/")[2]
    if name in SPECS or any(fnmatch.fnmatchcase(name, one) for one in (*SECRET, *SUSPECT)):
        return f"trialflow leaves {name} out, because it may hold secrets; the line `!{name}` in .dockerignore takes it in"
    return "check the path, and .dockerignore"
