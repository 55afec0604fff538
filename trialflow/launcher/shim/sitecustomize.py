"""Adds the functions of SigOpt's older client to the model's `sigopt`, when the model imports it: `get_parameter` and `set_parameters`.

Python executes the first `sitecustomize` it finds; the user's own, further on in the path, is executed as if this one were not there. Nothing in
here may break a model: whatever goes wrong is silent, unless TRIALFLOW_DEBUG is set.
"""

import os
import sys


def _execute_the_users_own():
    import importlib.machinery
    import importlib.util

    here = os.path.dirname(os.path.abspath(__file__))
    path = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


class _Finder:
    """Finds `sigopt` as Python would, and has it patched after it is executed."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "sigopt":
            return None
        import importlib.util

        sys.meta_path.remove(_Finder)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None and hasattr(spec.loader, "exec_module"):
            execute = spec.loader.exec_module

            def exec_and_patch(module):
                execute(module)
                try:
                    _patch(module)
                except Exception:
                    _complain()

            try:
                spec.loader.exec_module = exec_and_patch
            except AttributeError:
                _complain()
        return spec


_MISSING = object()


def _patch(sigopt):
    params = sigopt.params

    def get_parameter(name, default=_MISSING):
        """The suggested value; else the one that was set before; else `default`, which is then kept."""
        if name in params:
            return params[name]
        if default is _MISSING:
            raise ValueError("no value was suggested for the parameter %r, and no default was given" % name)
        params.setdefaults({name: default})
        return params[name]

    def set_parameters(values):
        """Set parameters that nothing was suggested for."""
        params.setdefaults(dict(values))

    def set_parameter(name, value):
        """Set one parameter that nothing was suggested for."""
        set_parameters({name: value})

    for function in (get_parameter, set_parameters, set_parameter):
        if not hasattr(sigopt, function.__name__):
            setattr(sigopt, function.__name__, function)


def _complain():
    if os.environ.get("TRIALFLOW_DEBUG"):
        import traceback

        traceback.print_exc()


try:
    sys.meta_path.insert(0, _Finder)
except Exception:
    _complain()
_execute_the_users_own()
