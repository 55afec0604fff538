"""What `image:` in run.yml means: an image that is there, or the name of what is built."""

import pytest

from tasks.images.choice import choose_image
from trialflow.errors import InvalidInput

REGISTRY = "registry.example.com:5000/team"
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
DIGEST = "sha256:" + "a" * 64

BUILT = [
    (None, {}, (None, None), "names no image"),
    ("my-run", {}, ("my-run", None), "--no-build"),
    ("my-run:v2", {}, ("my-run", "v2"), "there is a Dockerfile"),
    ("team/my_run:v2", {}, ("team/my_run", "v2"), "there is a Dockerfile"),
    ("my-run", {"dockerfile": "gpu.Dockerfile"}, ("my-run", None), "there is a gpu.Dockerfile"),
    ("my-run", {"registry": None}, ("my-run", None), "there is a Dockerfile"),
    ("my-run", {"registry": "docker.io/ada"}, ("my-run", None), "there is a Dockerfile"),
    ("adam/my-run", {"registry": "docker.io/ada"}, ("adam/my-run", None), "there is a Dockerfile"),
    ("my-run:v2", {"registry": f"{ECR}/trialflow/tiny"}, ("my-run", "v2"), "there is a Dockerfile"),
]
USED = [
    ("ghcr.io/other/model:1", {}, "names its registry"),
    ("localhost/model", {}, "names its registry"),
    (f"{REGISTRY}/my-run", {}, "names its registry"),
    (f"{ECR}/trialflow/tiny/my-run:v2", {"registry": f"{ECR}/trialflow/tiny"}, "names its registry"),
    (f"my-run@{DIGEST}", {}, "digest"),
    ("my-run", {"dockerfile": None}, "no Dockerfile"),
    ("my-run:v2", {"build": False}, "--no-build"),
    ("ada/my-run", {"registry": "docker.io/ada"}, "a path of the cluster's registry"),
    ("ada/my-run", {"registry": "ada"}, "a path of the cluster's registry"),
]


def choose(image: str | None, **facts: object):
    return choose_image(image, **{"registry": REGISTRY, "dockerfile": "Dockerfile", **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize(("image", "facts", "named", "why"), BUILT)
def test_beside_a_dockerfile_a_plain_name_is_what_is_built(image: str | None, facts: dict, named: tuple, why: str) -> None:
    choice = choose(image, **facts)
    assert choice.builds and (choice.name, choice.tag) == named and why in choice.why and choice.image is None


@pytest.mark.parametrize(("image", "facts", "why"), USED)
def test_what_can_only_be_an_image_is_used_as_it_is(image: str, facts: dict, why: str) -> None:
    choice = choose(image, **facts)
    assert not choice.builds and choice.image == image and why in choice.why


@pytest.mark.parametrize(
    ("image", "facts", "words"),
    [
        (None, {"dockerfile": None}, "no image to run"),
        (None, {"build": False}, "names no image"),
        ("My Run", {}, "no image"),
        ("https://x/y", {}, "no image"),
    ],
)
def test_what_leaves_nothing_to_run_is_refused(image: str | None, facts: dict, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        choose(image, **facts)
