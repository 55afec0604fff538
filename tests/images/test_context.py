import os
import tarfile
from pathlib import Path

import pytest

from tasks.images import context as module
from tasks.images.context import advice, read_context
from trialflow.errors import InvalidInput


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    write(root, "Dockerfile", "FROM scratch\nCOPY . .\n")
    write(root, "model.py", "print(1)")
    write(root, "data/train.csv", "1,2")
    return root


def write(root: Path, path: str, text: str = "x") -> Path:
    full = root / path
    full.parent.mkdir(parents=True, exist_ok=True)
    full.write_text(text)
    return full


def files(root: Path, **more) -> set[str]:
    return set(read_context(root, **more).sizes)


SECRETS = [".env", "a/.env.production", ".aws/credentials", "a/b/c/.aws/credentials", ".docker/config.json", "a/b/.docker/config.json", ".git/config",
           "sub/.git/config", ".ssh/id_rsa", ".kube/config", ".netrc", ".trialflow/token", "run.yml", "experiment.yml", "cluster.yml",
           "run.yaml", "cluster.yaml"]  # fmt: skip


@pytest.mark.parametrize("path", SECRETS)
@pytest.mark.parametrize(
    "ignore", ["", "# nothing\n", "!.dockerignore\n!.github\n!.gitattributes\n", "*\n!*.py\n!a\n!sub/x\n!sub", "*\n!**\n", "*\n!a/b\n!*.py"]
)
def test_what_may_hold_secrets_is_left_out_whatever_else_dockerignore_takes_in(folder: Path, path: str, ignore: str) -> None:
    write(folder, path)
    write(folder, ".dockerignore", ignore)
    assert path not in files(folder)
    assert "model.py" in files(folder)


KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n"
LOOKS_LIKE_A_KEY = [
    ("certs/tls.pem", "x"),
    ("tls.key", "x"),
    ("deploy/id_ed25519", "x"),
    ("prod.tfvars", "x"),
    ("kubeconfig", "x"),
    ("notes.txt", KEY),
    ("account.json", '{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----x"}'),
]


@pytest.mark.parametrize(("path", "text"), LOOKS_LIKE_A_KEY)
def test_what_looks_like_a_key_is_left_out_and_told_unless_it_is_named(folder: Path, path: str, text: str) -> None:
    write(folder, path, text)
    context = read_context(folder)
    assert path not in context.sizes and context.withheld == (path,)
    write(folder, ".dockerignore", f"!{path}\n")
    assert path in files(folder) and read_context(folder).withheld == ()


def test_what_is_ignored_anyway_is_not_told_and_code_that_speaks_of_keys_is_no_key(folder: Path) -> None:
    write(folder, "certs/tls.pem")
    write(folder, ".dockerignore", "certs\n")
    write(folder, "keys.py", 'MARK = "-----BEGIN PRIVATE KEY-----"\n')
    context = read_context(folder)
    assert context.withheld == () and "keys.py" in context.sizes


@pytest.mark.parametrize(
    "path", [".envrc", ".git-credentials", ".npmrc", ".pypirc", ".huggingface/token", ".bash_history", ".config/gcloud/x", ".azure/x"]
)
def test_logins_and_histories_are_left_out(folder: Path, path: str) -> None:
    write(folder, path)
    assert path not in files(folder)


@pytest.mark.parametrize(
    ("path", "ignore", "is_in"),
    [
        ("run.yml", "!run.yml", True),
        (".env", "*\n!.env", True),
        ("src/.env", "!src/.env", True),
        ("src/.env", "!**/.env", True),
        (".git/config", "!.git", True),
        ("src/.env", "!src", False),
        ("src/.env", "!src/.env\n.env\n**/.env", False),
    ],
)
def test_a_line_that_names_what_is_left_out_takes_it_in(folder: Path, path: str, ignore: str, is_in: bool) -> None:
    write(folder, path)
    write(folder, ".dockerignore", ignore + "\n")
    assert (path in files(folder)) is is_in


def test_the_home_of_trialflow_and_named_files_are_left_out(folder: Path) -> None:
    write(folder, "state/token")
    write(folder, "tuning/run-big.yml")
    assert files(folder, leave_out=[folder / "state", folder / "tuning/run-big.yml", Path("/elsewhere")]) == {
        "Dockerfile",
        "model.py",
        "data/train.csv",
    }


def test_a_specification_in_a_subfolder_is_the_model_s_own(folder: Path) -> None:
    write(folder, "configs/run.yml")
    assert "configs/run.yml" in files(folder)


def test_dockerignore_is_heeded_and_the_dockerfile_is_sent_all_the_same(folder: Path) -> None:
    write(folder, ".dockerignore", "data\nDockerfile\n\n# comment\n*.pyc\n")
    write(folder, "x.pyc")
    assert files(folder) == {"Dockerfile", ".dockerignore", "model.py"}


@pytest.mark.parametrize(
    ("ignore", "sent"),
    [
        ("*\n!**/*.py\n", {"a.py", "src/b.py", "src/deep/c.py"}),
        ("*\n!src/**/*.py\n", {"src/b.py", "src/deep/c.py"}),
        ("*\n!src/deep\n", {"src/deep/c.py", "src/deep/d.txt"}),
        ("*\n!s*/*.py\n", {"src/b.py"}),
        ("src\n!src/b.py\n", {"a.py", "e.txt", "src/b.py"}),
    ],
)
def test_an_exception_takes_in_what_is_inside_of_ignored_folders(folder: Path, ignore: str, sent: set[str]) -> None:
    for name in ("a.py", "e.txt", "src/b.py", "src/deep/c.py", "src/deep/d.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / ".dockerignore").write_text(ignore)
    assert files(folder) - {"Dockerfile", ".dockerignore", "model.py", "data/train.csv"} == sent


def test_a_dockerignore_beside_the_dockerfile_comes_first(folder: Path) -> None:
    write(folder, ".dockerignore", "model.py")
    write(folder, "Dockerfile.dockerignore", "data")
    assert "model.py" in files(folder) and "data/train.csv" not in files(folder)


def test_the_same_files_have_the_same_digest_wherever_and_whenever_they_are(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for path in ("data/train.csv", "model.py", "Dockerfile"):
        write(other, path, (folder / path).read_text())
        os.utime(other / path, (1, 1))
    assert read_context(folder).digest() == read_context(other).digest()


@pytest.mark.parametrize(
    "change",
    [
        lambda root: write(root, "model.py", "print(2)"),
        lambda root: write(root, "new.py"),
        lambda root: (root / "model.py").chmod(0o755),
        lambda root: (root / "model.py").rename(root / "model2.py"),
        lambda root: write(root, "Dockerfile", "FROM scratch\n"),
        lambda root: (root / "link").symlink_to("model.py"),
        lambda root: (root / "empty").mkdir(),
    ],
)
def test_every_change_that_can_change_the_image_changes_the_digest(folder: Path, change) -> None:
    before = read_context(folder).digest()
    change(folder)
    assert read_context(folder).digest() != before


def test_what_is_left_out_does_not_change_the_digest(folder: Path) -> None:
    before = read_context(folder).digest()
    write(folder, "experiment.yml", "budget: 7")
    write(folder, ".git/HEAD")
    assert read_context(folder).digest() == before
    assert read_context(folder).digest("linux/arm64") != before


def test_the_archive_holds_what_was_read(folder: Path) -> None:
    write(folder, ".env")
    (folder / "link").symlink_to("model.py")
    with read_context(folder).archive() as file, tarfile.open(fileobj=file) as archive:
        assert set(archive.getnames()) == {"Dockerfile", "model.py", "data", "data/train.csv", "link"}
        assert archive.getmember("link").linkname == "model.py"


def test_a_dockerfile_outside_the_directory_is_sent_but_is_no_file_of_the_model(folder: Path, tmp_path: Path) -> None:
    outside = write(tmp_path, "docker/Dockerfile.gpu", "FROM scratch\n")
    context = read_context(folder, str(outside))
    assert context.outside and context.text == "FROM scratch\n"
    with context.archive() as file, tarfile.open(fileobj=file) as archive:
        ignored = archive.extractfile(".dockerignore")
        assert context.dockerfile in archive.getnames() and ignored and context.dockerfile in ignored.read().decode()


def test_a_missing_dockerfile_is_said_with_those_nearby(folder: Path) -> None:
    (folder / "Dockerfile").rename(folder / "Dockerfile.gpu")
    with pytest.raises(InvalidInput) as caught:
        read_context(folder)
    assert "Dockerfile.gpu" in (caught.value.hint or "")


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="does not exist"):
        read_context(tmp_path / "nowhere")


def test_a_dockerfile_that_is_a_folder_or_not_text_is_said(folder: Path) -> None:
    (folder / "Dockerfile").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="not text"):
        read_context(folder)
    with pytest.raises(InvalidInput, match="no Dockerfile"):
        read_context(folder, "data")


def test_a_file_that_vanishes_while_it_is_read_is_named(folder: Path) -> None:
    context = read_context(folder)
    (folder / "model.py").unlink()
    with pytest.raises(InvalidInput, match="model.py"):
        context.digest()


def test_a_large_context_names_its_ten_largest_files_and_the_lines_that_drop_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAVY", 1000)
    assert advice(read_context(folder)) == []
    write(folder, "data/a.bin", "x" * 900)
    write(folder, "data/b.bin", "x" * 800)
    write(folder, "weights.pt", "x" * 700)
    write(folder, "env/.venv/lib/big.so", "x" * 600)
    for number in range(12):
        write(folder, f"src{number}/m.py", "x" * (100 + number))
    found = advice(read_context(folder))
    assert len(found) == 10
    assert found[:4] == [
        (900, "data/a.bin", "data"),
        (800, "data/b.bin", "data"),
        (700, "weights.pt", "weights.pt"),
        (600, "env/.venv/lib/big.so", "env/.venv"),
    ]
    write(folder, ".dockerignore", "\n".join(line for _, _, line in found[:4]))
    assert {"data/a.bin", "data/b.bin", "weights.pt", "env/.venv/lib/big.so"}.isdisjoint(files(folder))
