"""The SigOpt-compatible HTTP API with its store and its optimizer. It knows nothing of Prefect, flows or where training runs are executed.

`serve` runs it in the foreground of a process.
"""

from trialflow.service.serving import serve

__all__ = ["serve"]
