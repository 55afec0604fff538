"""trialflow tunes models on the user's own compute, with SigOpt's files and client and Prefect flows underneath."""

__version__ = "0.1.0"
