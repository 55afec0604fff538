"""The SigOpt-compatible HTTP API with its store and its optimizer. It knows nothing of Prefect, flows or where training runs are executed.

`trialflow.service.serving` runs it in the foreground of a process. It is not imported here: the optimizer's own process needs little of this package.
"""
