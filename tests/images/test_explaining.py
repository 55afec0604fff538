import pytest

from tasks.images.buildkit import PlainFollower, needs_buildkit
from tasks.images.errors import BuildFailed, EngineUnavailable, PushFailed, RegistryRefused, RegistryUnavailable
from tasks.images.explaining import build_error, engine_error, push_error
from tasks.images.following import BuildFollower, PushFollower
from trialflow.errors import InvalidInput


@pytest.mark.parametrize(
    ("said", "kind", "hint"),
    [
        ("denied: requested access to the resource is denied", RegistryRefused, "docker login r.example.com"),
        ("unauthorized: authentication required", RegistryRefused, "docker login r.example.com"),
        ("no basic auth credentials", RegistryRefused, "docker login r.example.com"),
        ("name unknown: The repository with name 'team/m' does not exist in the registry with id '1'", RegistryRefused, "make the repository"),
        ('Get "https://r.example.com/v2/": http: server gave HTTP response to HTTPS client', RegistryUnavailable, "insecure-registries"),
        ('Get "https://r.example.com/v2/": x509: certificate signed by unknown authority', RegistryUnavailable, "certs.d/r.example.com/ca.crt"),
        ('Get "https://r.example.com/v2/": dial tcp 1.2.3.4:443: connect: connection refused', RegistryUnavailable, "check"),
        ('Get "https://r.example.com/v2/": dial tcp: lookup r.example.com: no such host', RegistryUnavailable, "check"),
        ("received unexpected HTTP status: 503 Service Unavailable", RegistryUnavailable, "check"),
        ("EOF", RegistryUnavailable, "check"),
        ("write /data/x: no space left on device", PushFailed, "room"),
        ("something new", PushFailed, ""),
    ],
)
def test_what_a_push_s_end_means(said: str, kind: type, hint: str) -> None:
    error = push_error(said, "r.example.com/team/m:1")
    assert type(error) is kind and "r.example.com/team/m" in error.message and hint in (error.hint or "")


@pytest.mark.parametrize(
    ("said", "step", "kind", "hint"),
    [
        ("The command '/bin/sh -c false' returned a non-zero code: 1", "step 2/3: RUN false", BuildFailed, "mend that step"),
        ("write /x: no space left on device", "step 2/3: COPY . .", BuildFailed, "prune"),
        ("COPY failed: file not found in build context or excluded by .dockerignore: stat run.yml: file does not exist", "step 2/3: COPY run.yml .",
         InvalidInput, "`!run.yml`"),
        ("COPY failed: file not found in build context or excluded by .dockerignore: stat x.py: file does not exist", "step 2/3: COPY x.py .",
         InvalidInput, "check the path"),
        ("manifest for python:9 not found: manifest unknown", "step 1/3: FROM python:9", BuildFailed, "name and tag"),
        ("pull access denied for a/b, repository does not exist or may require 'docker login'", "step 1/3: FROM a/b", BuildFailed, "log in"),
        ('Get "https://registry-1.docker.io/v2/": dial tcp: lookup x: no such host', "step 1/3: FROM python", RegistryUnavailable, "reached"),
        ('failed to build: failed to solve: failed to compute cache key: "/run.yml" not found: not found', "step 2/2: COPY --link run.yml /",
         InvalidInput, "`!run.yml`"),
        ('failed to solve: rpc error: code = Unknown desc = failed to do request: Head "https://r/v2/python/manifests/9": dial tcp: no such host', "",
         RegistryUnavailable, "reached"),
        ("dockerfile parse error line 3: unknown instruction: RUNN", "", InvalidInput, "mend that line"),
    ],
)  # fmt: skip
def test_what_a_build_s_end_means(said: str, step: str, kind: type, hint: str) -> None:
    error = build_error(said, step=step)
    assert type(error) is kind and step in error.message and hint in (error.hint or "")


def test_a_failing_step_shows_its_last_twenty_lines() -> None:
    follower = BuildFollower(lambda event: None)
    follower.take({"stream": "Step 1/2 : FROM python\n"})
    follower.take({"stream": "from the first step\n"})
    follower.take({"stream": "Step 2/2 : RUN make\n"})
    for number in range(30):
        follower.take({"stream": f"line {number}\n"})
    with pytest.raises(BuildFailed) as caught:
        follower.take({"errorDetail": {"code": 2, "message": "The command '/bin/sh -c make' returned a non-zero code: 2"}, "error": "..."})
    shown = [line.strip() for line in caught.value.message.splitlines()[1:]]
    assert shown == [f"| line {number}" for number in range(10, 30)]
    assert "step 2/2: RUN make" in caught.value.message and "code: 2" in caught.value.message


def test_a_build_tells_steps_and_output_without_the_engine_s_noise() -> None:
    events = []
    follower = BuildFollower(events.append)
    for text in (
        "Step 1/2 : FROM python\n",
        " ---> 0123\n",
        "Step 2/2 : RUN echo hi\n",
        "hi\n",
        "Removing intermediate container 1\n",
        "Successfully built 12\n",
    ):
        follower.take({"stream": text})
    follower.take({"aux": {"ID": "sha256:12"}})
    assert [(event.kind, event.text) for event in events] == [("step", "FROM python"), ("step", "RUN echo hi"), ("output", "hi")]
    assert follower.image_id == "sha256:12"


def test_a_push_tells_its_layers_and_keeps_its_digest() -> None:
    events = []
    follower = PushFollower("r.example.com/m:1", events.append)
    follower.take({"status": "The push refers to repository [r.example.com/m]"})
    follower.take({"status": "Pushing", "id": "abc", "progressDetail": {"current": 5, "total": 10}})
    follower.take({"status": "1: digest: sha256:" + "b" * 64 + " size: 100"})
    assert [(one.layer, one.done, one.total) for one in events] == [("abc", 5, 10)]
    assert follower.digest == "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("cause", "words", "hint"),
    [
        (PermissionError(13, "Permission denied"), "may not speak", "usermod"),
        (FileNotFoundError(2, "No such file or directory"), "no such socket", "DOCKER_HOST"),
        (ConnectionRefusedError(111, "Connection refused"), "nothing listens", "DOCKER_HOST"),
    ],
)
def test_an_engine_that_cannot_be_spoken_to_is_explained_by_the_cause_behind_the_error(cause: OSError, words: str, hint: str) -> None:
    error = RuntimeError("('Connection aborted.', ...)")
    error.__cause__ = cause
    found = engine_error(error, "unix:///run/docker.sock")
    assert type(found) is EngineUnavailable and words in found.message and "unix:///run/docker.sock" in found.message and hint in (found.hint or "")


@pytest.mark.parametrize(
    ("dockerfile", "why"),
    [
        ("FROM a\nRUN echo 1\n", None),
        ("# syntax=docker/dockerfile:1\nFROM a\nCOPY --chown=1 a b\n", None),
        ("FROM a\nRUN --mount=type=cache,target=/x pip install y\n", "line 2: RUN --mount"),
        ("FROM a\n\nCOPY --from=b \\\n  --chmod=755 x y\n", "line 3: COPY --chmod"),
        ("FROM a\nRUN <<EOF\necho 1\nEOF\n", "line 2: RUN with a here-document"),
        ("FROM a\nCOPY <<EOF /x\n1\nEOF\n", "line 2: COPY with a here-document"),
        ("FROM a\nRUN python -c 'print(1<<2)'\n", None),
        ("FROM a\n# RUN --mount=x y\nRUN echo --mount\n", None),
        ("FROM a\nADD --checksum=sha256:1 http://x /y\n", "line 2: ADD --checksum"),
    ],
)
def test_what_the_classic_builder_does_not_understand_is_found_with_its_line(dockerfile: str, why: str | None) -> None:
    assert needs_buildkit(dockerfile) == why


def test_buildkit_s_plain_progress_becomes_steps_output_and_the_failing_step() -> None:
    events = []
    follower = PlainFollower(events.append)
    for line in (
        "#1 [internal] load build definition from Dockerfile", "#1 transferring dockerfile: 100B done",
        "#5 [1/2] FROM docker.io/library/python",
        "#5 CACHED", "#6 [stage-0 2/2] RUN false", "#6 0.321 hello",
        '#6 ERROR: process "/bin/sh -c false" did not complete successfully: exit code: 1',
        'ERROR: failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1',
    ):  # fmt: skip
        follower.take(line)
    assert [(event.kind, event.text) for event in events] == [("step", "FROM docker.io/library/python"), ("step", "RUN false"), ("output", "hello")]
    assert follower.step == "step 2/2: RUN false" and follower.printed == ["hello"] and "exit code: 1" in follower.error
