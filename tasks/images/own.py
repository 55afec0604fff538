"""trialflow's own image: this very version of it, and of each dependency the version that this machine has.

The context is a Dockerfile, a wheel of the packages that are imported here, and a list of pins. It is the same in a checkout and where a wheel was
installed, and it is equal to the byte as long as nothing has changed, so `building` finds the image that was pushed before. No file of the user's
is in it. `python -m tasks.images.own` builds it for this machine's engine.
"""

import asyncio
import base64
import csv
import hashlib
import io
import platform
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tasks.images import building
from tasks.images.building import BuildPlan, BuildRequest
from tasks.images.own_dockerfile import dockerfile
from trialflow import __version__
from trialflow.packages import ROOT, TOP_LEVEL

NAME = "trialflow-server"
"""The name of the image below a registry."""
WHEEL = f"trialflow-{__version__}-py3-none-any.whl"
INFO = f"trialflow-{__version__}.dist-info"
LEFT_OUT = ("__pycache__",)


@asynccontextmanager
async def planned(repository: str, *, insecure: bool | None = None, tag: str | None = None) -> AsyncIterator[BuildPlan]:
    """The plan of the image for a repository; its files are there until the end."""
    with tempfile.TemporaryDirectory(prefix="trialflow-image-") as folder:
        await asyncio.to_thread(write_context, Path(folder))
        yield await building.plan(BuildRequest(Path(folder), repository, insecure=insecure, tag=tag), on_event=lambda event: None)


def write_context(folder: Path) -> None:
    """Write the files that the image is made of."""
    (folder / "Dockerfile").write_text(dockerfile(WHEEL))
    (folder / "requirements.txt").write_text("".join(f"{pin}\n" for pin in pins()))
    (folder / WHEEL).write_bytes(wheel(Path(ROOT)))
    for path in folder.iterdir():
        path.chmod(0o644)


def pins(name: str = "trialflow", requires: Callable[[str], Iterable[str] | None] = metadata.requires) -> list[str]:
    """All dependencies, direct and indirect, on Linux, each as `name==version`, sorted. One that is not installed here is named with its bounds."""
    environments = on_linux()
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    ahead = [(name, "")]
    while ahead:
        one, extra = ahead.pop()
        if (one, extra) in seen:
            continue
        seen.add((one, extra))
        for text in requires(one) or ():
            wanted = Requirement(text)
            if wanted.marker and not any(wanted.marker.evaluate({**one, "extra": extra}) for one in environments):
                continue
            known = canonicalize_name(wanted.name)
            try:
                found[known] = f"{known}=={metadata.version(known)}"
            except metadata.PackageNotFoundError:
                found[known] = f"{known}{wanted.specifier}"
                continue
            ahead += [(known, part) for part in ("", *wanted.extras)]
    return sorted(found.values())


def on_linux() -> list[dict[str, str]]:
    """The environments in which markers are judged: a Linux of this machine's kind of processor, with this Python and the first of its minor version.

    Which of its releases the image has is not known; some packages are needed with older ones alone.
    """
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    ours: Mapping[str, str] = {**default_environment()}  # type: ignore[dict-item]
    linux = {**ours, "os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": machine}
    return [linux, {**linux, "python_full_version": f"{linux['python_version']}.0"}]


def wheel(root: Path) -> bytes:
    """A wheel of our packages below `root`: the same bytes for the same files."""
    files = {str(path.relative_to(root)): path.read_bytes() for path in _sources(root)}
    files[f"{INFO}/METADATA"] = f"Metadata-Version: 2.1\nName: trialflow\nVersion: {__version__}\n".encode()
    files[f"{INFO}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: trialflow\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{INFO}/entry_points.txt"] = b"[console_scripts]\ntrialflow = trialflow.cli.main:main\n"
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.writerow([name, f"sha256={digest}", len(content)])
    rows.writerow([f"{INFO}/RECORD", "", ""])
    files[f"{INFO}/RECORD"] = record.getvalue().encode()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return made.getvalue()


def _sources(root: Path) -> Iterator[Path]:
    for package in sorted(("trialflow", *TOP_LEVEL)):
        for path in sorted((root / package).rglob("*")):
            if path.is_file() and not set(path.parts) & set(LEFT_OUT) and path.suffix != ".pyc":
                yield path


async def build() -> str:
    """Build the image for this machine's engine. Returns its name there."""
    async with planned(NAME) as plan:
        await building.build_image(plan, on_event=lambda event: print(event.text, flush=True) if event.kind == "step" else None)
        return str(plan.name)


if __name__ == "__main__":
    print(f"built {asyncio.run(build())}")
