"""Whether `image:` in run.yml names what is built, or an image that is there already. Pure."""

from dataclasses import dataclass

from tasks.images.references import Reference, is_registry, parse
from trialflow.errors import InvalidInput


@dataclass(frozen=True)
class ImageChoice:
    """What becomes of `image:`, and `why`, as a clause for people.

    If it `builds`, the image goes below the registry under `name`, which is None for the folder's own, and gets the `tag` besides, if there is one.
    Otherwise `image` is used as it is.
    """

    builds: bool
    why: str
    image: str | None = None
    name: str | None = None
    tag: str | None = None


def choose_image(image: str | None, *, registry: str | None, dockerfile: str | None, build: bool = True) -> ImageChoice:
    """Decide from run.yml's `image`, the cluster's `registry`, and the name of the `dockerfile` that there is, None if there is none.

    `build=False` is the user's `--no-build`. Raises `InvalidInput` if there is neither an image nor anything to build one from, or what is named is
    no image.
    """
    if image is None:
        return _without_image(dockerfile, build)
    named = parse(image)
    if named.digest:
        return ImageChoice(False, "it is named by its digest", image)
    if is_registry(image.partition("/")[0]) and "/" in image:
        return ImageChoice(False, "it names its registry", image)
    if registry and is_below(named, registry):
        return ImageChoice(False, f"it is a path of the cluster's registry {registry}", image)
    if not build:
        return ImageChoice(False, "--no-build says so", image)
    if dockerfile is None:
        return ImageChoice(False, "there is no Dockerfile to build it from", image)
    path = image.partition(":")[0]
    return ImageChoice(True, f"there is a {dockerfile}; --no-build would use an image {image} that exists", name=path, tag=named.tag)


def is_below(image: Reference, registry: str) -> bool:
    """Whether an image's complete name begins with `registry`, host[:port][/path]."""
    host, _, path = registry.rstrip("/").partition("/")
    below = parse(f"{host}/{path + '/' if path else ''}x") if is_registry(host) else parse(f"docker.io/{registry}/x")
    return image.registry == below.registry and image.repository.startswith(below.repository.removesuffix("x"))


def _without_image(dockerfile: str | None, build: bool) -> ImageChoice:
    if not build:
        raise InvalidInput(
            "`--no-build` was given, and run.yml names no image", hint="name an image as `image:` in run.yml, or leave out `--no-build`"
        )
    if dockerfile is None:
        raise InvalidInput(
            "there is no image to run: run.yml names none, and there is no Dockerfile here",
            hint="write a Dockerfile (`trialflow init` has one to start from), or name an image as `image:` in run.yml",
        )
    return ImageChoice(True, f"run.yml names no image, and there is a {dockerfile}")
