"""The steps of an experiment that the service does: create, suggest, report, observe. This room speaks the SigOpt API,
through its official client alone.

It knows nothing of where a training run is executed.
"""
