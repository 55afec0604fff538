"""What can go wrong with images, as errors for people."""

from trialflow.errors import InvalidInput, TrialflowError


class ImageMissing(InvalidInput):
    """The registry answered, and has no such image (or none for the platform that was asked for)."""


class RegistryRefused(TrialflowError):
    """The registry wants a login, or does not let this one do what was asked."""


class RegistryUnavailable(TrialflowError):
    """The registry could not be reached, answered that it cannot serve now, or is none. Trying again may help."""


class EngineUnavailable(TrialflowError):
    """No Docker engine answers, or this user may not speak to it."""


class BuildFailed(TrialflowError):
    """The Docker engine could not build the image; the message holds the failing step and the last lines it printed."""


class PushFailed(TrialflowError):
    """The Docker engine could not push the image, for another reason than the registry's refusal or absence."""
