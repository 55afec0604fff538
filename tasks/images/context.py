"""A user's directory as a build context: which files are sent, what they are together, and what makes them heavy.

The rules of `.dockerignore` are BuildKit's. What trialflow leaves out is taken in by a line that names it, such as `!run.yml`.
"""

import fnmatch
import hashlib
import io
import os
import re
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from docker.utils.build import Pattern, PatternMatcher

from trialflow.errors import InvalidInput, TrialflowError

SECRET = (
    ".git", ".env", ".env.*", ".envrc", ".netrc", ".git-credentials", ".npmrc", ".pypirc", ".pgpass", ".my.cnf", ".boto", ".s3cfg", ".htpasswd",
    ".aws", ".azure", ".gcloud", ".config/gcloud", ".ssh", ".kube", ".docker", ".huggingface", ".cache/huggingface", ".kaggle", ".trialflow",
    ".*_history",
)  # fmt: skip
"""Files and folders that hold keys and tokens, or a history that may; left out in every folder of the context."""
SUSPECT = (
    "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.tfvars", "*.tfstate", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519",
    "kubeconfig", "*.kubeconfig", "kaggle.json", "application_default_credentials.json",
)  # fmt: skip
"""Files that may hold keys, and may be something that the model needs: left out as well, and each is told."""
PRIVATE_KEY = re.compile(rb'^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----|"private_key"\s*:\s*"-----BEGIN', re.MULTILINE)
LARGEST_KEY = 64 * 1024
"""Bytes of a file up to which it is looked into for a private key."""
HARMLESS = (".env.example", ".env.sample", ".env.template")
SPECS = tuple(f"{kind}.{ending}" for kind in ("run", "experiment", "cluster") for ending in ("yml", "yaml"))
"""Left out because they may hold AWS keys, and because another budget does not make another image."""
HEAVY = 50 * 1000 * 1000
"""Bytes from which on a context is worth a word."""
JUNK = (".venv", "venv", "node_modules", "__pycache__", ".ipynb_checkpoints", "wandb", "mlruns", ".mypy_cache", ".tox", "lightning_logs")


@dataclass(frozen=True)
class Context:
    """The files of a build, found but not yet read.

    `paths` are relative to `root`, sorted, folders among them; `dockerfile` is its name inside the context, `text` what is in it, and `outside` says
    that it comes from elsewhere. `sizes` are those of the files in bytes. `ignore` are the lines that were heeded. `withheld` are files that
    were left out because they look like keys.
    """

    root: Path
    paths: tuple[str, ...]
    dockerfile: str
    text: str
    outside: bool
    sizes: dict[str, int]
    ignore: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.sizes.values())

    def digest(self, *facts: Any) -> str:
        """A SHA-256 over names, modes, contents, the Dockerfile, and `facts` that change the image too. Reads every file."""
        total = hashlib.sha256(b"trialflow context 1\0")
        for fact in (*map(repr, facts), self.dockerfile, self.text):
            total.update(fact.encode() + b"\0")
        for path in self.paths:
            full = self.root / path
            try:
                seen = full.lstat()
                total.update(f"{path}\0{seen.st_mode:o}\0".encode(errors="surrogateescape"))
                if stat.S_ISLNK(seen.st_mode):
                    total.update(os.readlink(full).encode(errors="surrogateescape"))
                elif stat.S_ISREG(seen.st_mode):
                    with full.open("rb") as file:
                        total.update(hashlib.file_digest(file, "sha256").digest())
            except OSError as error:
                raise _unreadable(full, error) from error
        return total.hexdigest()

    def archive(self) -> IO[bytes]:
        """The files as a tar archive in a temporary file, to be closed by the caller. As with Docker's own command all belong to root."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        try:
            # BuildKit looks at the first 512 bytes to see an archive: no extended header may come first, so the Dockerfile does, with a short name.
            with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
                if self.outside:
                    _add_text(archive, self.dockerfile, self.text)
                    _add_text(archive, ".dockerignore", "\n".join((*self.ignore, self.dockerfile)))
                for path in sorted(self.paths, key=lambda one: (one != self.dockerfile, one)):
                    if not (self.outside and path == ".dockerignore"):
                        _add(archive, self.root / path, path)
        except OSError as error:
            file.close()
            raise _unreadable(Path(error.filename or self.root), error) from error
        file.seek(0)
        return file


def read_context(directory: Path, dockerfile: str | None = None, *, leave_out: Sequence[Path] = ()) -> Context:
    """The context of a directory. `dockerfile` is relative to it, or absolute, and may be elsewhere; by default `Dockerfile`.

    `leave_out` are further paths that never belong into an image, such as the files given to a command. Raises `InvalidInput`.
    """
    root = directory.expanduser().absolute()
    if not root.is_dir():
        raise InvalidInput(f"the directory {root} that the image should be made of does not exist")
    path = root / Path(dockerfile or "Dockerfile").expanduser()
    text = _dockerfile(path, root)
    inside = _inside(path, root)
    name = inside or f".dockerfile.{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    theirs = _ignored(root, path)
    certain, suspect = left_out(root, leave_out), _everywhere(SUSPECT)
    try:
        paths, ignore = _chosen(root, inside or name, theirs, [*certain, *suspect])
        withheld = sorted({*_chosen(root, inside or name, theirs, certain)[0]} - {*paths})
        keys = [one for one in paths if _is_private_key(root / one) and not _is_taken_in(one, theirs)]
        paths = tuple(one for one in paths if one not in set(keys))
        sizes = {one: seen.st_size for one in paths if stat.S_ISREG((seen := (root / one).lstat()).st_mode)}
    except OSError as error:
        raise _unreadable(Path(error.filename or root), error) from error
    return Context(root, paths, name, text, inside is None, sizes, (*ignore, *keys), tuple(sorted({*withheld, *keys})))


def _chosen(root: Path, dockerfile: str, theirs: Sequence[str], ours: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The paths that are sent by the user's lines and ours, and all lines in the order in which they count."""
    # Ours come last, since `!src` must not take src/.env in; but what names one of these itself has the last word.
    named = [line for line in theirs if _names(line, ours)]
    ignore = (*theirs, *ours, *named)
    exceptions = [Pattern(line) for line in (*theirs, f"!{dockerfile}") if line.startswith("!")]
    return tuple(sorted(_walk(root, PatternMatcher([*ignore, f"!{dockerfile}"]), PatternMatcher([*ours, *named]), exceptions))), ignore


def _walk(root: Path, ignored: PatternMatcher, ours: PatternMatcher, exceptions: Sequence[Pattern]) -> Iterator[str]:
    """The paths that are not ignored. As BuildKit does, and Docker's SDK does not, this looks into an ignored folder for what an exception takes in.

    Folders that we leave out are entered only if a line names them.
    """
    ahead = [""]
    while ahead:
        folder = ahead.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                is_ignored = ignored.matches(path)  # type: ignore[arg-type] - its stubs ask for more than it takes
                if not is_ignored:
                    yield path
                if not entry.is_dir(follow_symlinks=False):
                    continue
                # Asked last: an ignored folder may be as large as `.venv`, and most folders are not ignored.
                if not is_ignored or (any(_may_be_below(path, one.dirs) for one in exceptions) and not ours.matches(path)):  # type: ignore[arg-type]
                    ahead.append(path)


def _may_be_below(folder: str, pattern: Sequence[str]) -> bool:
    """Whether a pattern, in its parts, may match something inside of a folder."""
    parts = folder.split("/")
    for part, wanted in zip(parts, pattern, strict=False):
        if wanted == "**":
            return True
        if not fnmatch.fnmatchcase(part, wanted):
            return False
    return len(pattern) > len(parts)


def _is_taken_in(path: str, theirs: Sequence[str]) -> bool:
    """Whether a line of the user's takes in a file by its name or its kind (`!certs/tls.key`, `!*.key`), and not merely everything."""
    names = [line.rstrip("/").rpartition("/")[2].removeprefix("!") for line in theirs if line.startswith("!")]
    return any(name.strip("*") and fnmatch.fnmatchcase(path.rpartition("/")[2], name) for name in names)


def _is_private_key(path: Path) -> bool:
    seen = path.lstat()
    return stat.S_ISREG(seen.st_mode) and seen.st_size <= LARGEST_KEY and PRIVATE_KEY.search(path.read_bytes()) is not None


def left_out(root: Path, further: Sequence[Path] = ()) -> list[str]:
    """The lines for what trialflow leaves out without a word."""
    lines = _everywhere(SECRET)
    lines += [f"!**/{name}" for name in HARMLESS]
    lines += list(SPECS)
    for path in further:
        if (inside := _inside(path.expanduser().absolute(), root)) and inside != ".":
            lines += [inside, f"{inside}/**"]
    return lines


def _everywhere(names: Sequence[str]) -> list[str]:
    # The second line is for Docker's SDK: inside of a folder that is looked into, it takes only whole paths for matches.
    return [line for name in names for line in (f"**/{name}", f"**/{name}/**")]


def _names(line: str, ours: Sequence[str]) -> bool:
    """Whether a line of the user's is about something that one of ours leaves out, and not merely about a folder that it is in."""
    line = line.removeprefix("!").strip().strip("/").removeprefix("./")
    bare = [one.removeprefix("**/").removesuffix("/**") for one in ours if not one.startswith("!")]
    parts = line.split("/")
    return any(fnmatch.fnmatchcase(part, one) for one in bare if "/" not in one for part in parts) or any(
        line == one or line.startswith(f"{one}/") for one in bare
    )


def advice(context: Context, most: int = 10) -> list[tuple[int, str, str]]:
    """The largest files of a heavy context: bytes, path, and the line for `.dockerignore` that would drop it. Empty if it is not heavy."""
    if context.size <= HEAVY:
        return []
    largest = sorted(context.sizes.items(), key=lambda one: (-one[1], one[0]))[:most]
    folders = [os.path.dirname(path) for path, _ in largest]
    return [(size, path, _line(path, folders)) for path, size in largest]


def _add(archive: tarfile.TarFile, full: Path, path: str) -> None:
    entry = archive.gettarinfo(str(full), arcname=path)
    if entry is None or not (entry.isreg() or entry.isdir() or entry.issym() or entry.islnk()):
        return  # sockets, pipes and devices belong into no image
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = int(entry.mtime)
    if entry.isreg():
        with full.open("rb") as contents:
            archive.addfile(entry, contents)
    else:
        archive.addfile(entry)


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    contents = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size = len(contents)
    archive.addfile(entry, io.BytesIO(contents))


def _line(path: str, folders: Sequence[str]) -> str:
    parts = path.split("/")
    for number, part in enumerate(parts[:-1]):
        if part in JUNK:
            return "/".join(parts[: number + 1])
    folder = os.path.dirname(path)
    return folder if folder and folders.count(folder) > 1 else path


def _dockerfile(path: Path, root: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is no Dockerfile: it is not text") from error
    except OSError as error:
        near = sorted(one.name for one in root.iterdir() if "dockerfile" in one.name.lower() and one.is_file() and one != path)
        hint = f"there is {', '.join(near)}: name it with `--dockerfile`" if near else "write one, or `trialflow init` writes one to start from"
        raise InvalidInput(f"there is no Dockerfile at {path}: {error.strerror}", hint=hint) from error


def _ignored(root: Path, dockerfile: Path) -> list[str]:
    """The lines of `NAME.dockerignore` beside the Dockerfile, else of `.dockerignore`, as Docker reads them."""
    for path in (dockerfile.with_name(dockerfile.name + ".dockerignore"), root / ".dockerignore"):
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path} cannot be read: {error}") from error
        return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    return []


def _inside(path: Path, root: Path) -> str | None:
    relative = os.path.relpath(path, root)
    return None if relative == ".." or relative.startswith("../") else relative.replace(os.sep, "/")


def _unreadable(path: Path, error: OSError) -> TrialflowError:
    return InvalidInput(
        f"{path} belongs to the image's files but cannot be read: {error.strerror}", hint="make it readable, or add it to .dockerignore"
    )
