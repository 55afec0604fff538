"""Pythons for images: what models of other people run under, from 3.6 on. Those of this machine, and the newest as Debian has it."""

import os
import shutil
from pathlib import Path

VERSIONS = tuple(f"3.{minor}" for minor in range(6, 15))
UNNEEDED = ("test", "tests", "site-packages", "__pycache__", "config-*", "*.a", "idlelib", "tkinter", "lib2to3", "ensurepip", "pkgconfig")
FOLDER = "/opt/pythons"
OLDER_CLIENT = "/opt/older-client"
"""Where that image has the client that people had before 8; for the Python 3.11 of the image itself."""
NEWEST = VERSIONS[-1]
CLIENT = '"sigopt>=8.8,<9" "setuptools<81"'


def found_pythons() -> dict[str, Path]:
    """The folders of the Pythons that pyenv has here, by version: `3.6`."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    every = {version: sorted(versions.glob(f"{version}.*/bin/python{version}")) for version in VERSIONS}
    return {version: paths[-1].parent.parent for version, paths in every.items() if paths}


def copy_pythons(folder: Path) -> None:
    """Put them beside a Dockerfile as `pythons/3.6` and so on, without what no model needs."""
    for version, home in found_pythons().items():
        place = folder / "pythons" / version
        (place / "bin").mkdir(parents=True)
        shutil.copy2(home / "bin" / f"python{version}", place / "bin" / "python3")
        shutil.copytree(home / "lib", place / "lib", symlinks=True, ignore=shutil.ignore_patterns(*UNNEEDED))


def pythons_dockerfile() -> str:
    """An image with all of them, each with the `sigopt` client where there is one for it."""
    lines = ["FROM python:3.11-slim", f"COPY pythons {FOLDER}", f"RUN ldconfig {FOLDER}/*/lib"]
    for version in found_pythons():
        place = f"{FOLDER}/{version}/lib/python{version}/site-packages"
        chosen = f"--target {place} --python-version {version} --only-binary=:all: --no-compile --no-cache-dir"
        lines.append(f"RUN pip install --quiet {chosen} {CLIENT} || rm -rf {place}")
    lines.append(f'RUN pip install --quiet --no-cache-dir --target {OLDER_CLIENT} "sigopt==7.5.*" "setuptools<81"')
    return "\n".join(lines) + "\n"


def newest_dockerfile() -> str:
    """An image with the newest of them, from Debian's next release, for machines that do not have it."""
    packages = f"python{NEWEST}-minimal libpython{NEWEST}-stdlib"
    chosen = f"--target /usr/lib/python3/dist-packages --python-version {NEWEST} --only-binary=:all: --no-compile --no-cache-dir"
    return f"""\
FROM python:3.11-slim
RUN echo "deb [check-valid-until=no] http://deb.debian.org/debian forky main" > /etc/apt/sources.list.d/next.list \\
 && apt-get update -qq \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Options::=--force-overwrite --no-install-recommends {packages} > /dev/null \\
 && mkdir -p {FOLDER}/{NEWEST}/bin && ln -s /usr/bin/python{NEWEST} {FOLDER}/{NEWEST}/bin/python3
RUN pip install --quiet {chosen} {CLIENT} || true
"""


def environment_of(version: str) -> dict[str, str]:
    """What has to be set for `python3` to be that version."""
    return {"PATH": f"{FOLDER}/{version}/bin:/usr/local/bin:/usr/bin:/bin"}
