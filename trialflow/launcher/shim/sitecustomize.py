"""Adds the functions of SigOpt's older client to the model's `sigopt`, when the model imports it: `get_parameter` and `set_parameters`. What the
model logs with it raises nothing: what cannot be kept is left out with a warning.

Python executes the first `sitecustomize` it finds; the user's own, further on in the path, is executed as if this one were not there. Nothing in
here may break a model: whatever goes wrong is silent, unless TRIALFLOW_DEBUG is set.
"""

import contextlib
import os
import sys


def _find_the_users_own():
    import importlib.machinery
    import importlib.util

    here = os.path.dirname(os.path.abspath(__file__))
    path = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is None or spec.loader is None:
        return None
    return spec, importlib.util.module_from_spec(spec)


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
                with _whole_context():
                    execute(module)
                for step in (_check_version, _patch, _never_raise):
                    try:
                        step(module)
                    except Exception:
                        _complain()

            try:
                spec.loader.exec_module = exec_and_patch
            except AttributeError:
                _complain()
        return spec


_MISSING = object()
OLDEST = (7, 5)


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
        """Set parameters; what was suggested stays as it was suggested."""
        given = _suggested()
        params.update({name: value for name, value in dict(values).items() if name not in given})

    def set_parameter(name, value):
        """Set one parameter that nothing was suggested for."""
        set_parameters({name: value})

    for function in (get_parameter, set_parameters, set_parameter):
        if not hasattr(sigopt, function.__name__):
            setattr(sigopt, function.__name__, function)


def _never_raise(sigopt):
    """Have the functions that log warn where they would raise, those of the module and those of training runs that a model makes itself.

    A value that is no number goes on as text: the relay takes it out by itself, with a warning, and keeps what was logged beside it.
    """
    for name in ("sigopt.run_context", "sigopt.runs.context"):
        module = sys.modules.get(name)
        if module is None:
            continue
        if hasattr(module, "sanitize_number"):
            module.sanitize_number = _lenient(module.sanitize_number)
        for kind in vars(module).values():
            if isinstance(kind, type) and kind.__module__ == name:
                _wrap_all(kind)
    _wrap_all(sigopt)


def _wrap_all(owner):
    for name, function in list(vars(owner).items()):
        if name.startswith(("log_", "set_parameter")) and callable(function):
            setattr(owner, name, _warning_instead(name, function))


def _warning_instead(name, function):
    import functools
    import inspect

    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args, **kwargs):
        signature.bind(*args, **kwargs)  # a call that is no call of this function is a mistake in the model
        try:
            return function(*args, **kwargs)
        except Exception as error:
            reason = error.__cause__ or error
            _warn("%s was left out: %s" % (name, str(reason) or type(reason).__name__))

    return call


def _lenient(sanitize):
    def sanitize_number(kind, name, value):
        try:
            return sanitize(kind, name, value)
        except Exception:
            if kind == "metadata":
                raise  # the client keeps it as text
            return str(value)[:100]

    return sanitize_number


_warned = set()
MOST_WARNINGS = 50


def _warn(sentence):
    if sentence not in _warned and len(_warned) < MOST_WARNINGS:
        _warned.add(sentence)
        print("trialflow: " + sentence[:1000], file=sys.stderr)


def _check_version(_):
    """Say so in the model's log if the client is older than those that are known to read the training run that they are in."""
    from sigopt.version import VERSION

    if tuple(int(part) for part in VERSION.split(".")[:2]) < OLDEST:
        print(
            "trialflow: what this model logs with the sigopt client %s may not be kept; install sigopt %d.%d or later" % ((VERSION,) + OLDEST),
            file=sys.stderr,
        )


def _facts():
    import json

    with open(os.environ["TRIALFLOW_CONTEXT_FILE"], encoding="utf-8") as file:
        return json.load(file)


def _suggested():
    return _facts()["assignments"]


@contextlib.contextmanager
def _whole_context():
    """Give the client, while it is imported, the assignments that were too large for its variable."""
    import base64
    import json

    before = os.environ.get("SIGOPT_CONTEXT")
    try:
        context = json.loads(base64.b64decode(before or "e30=").decode("utf-8"))
        run = (context.get("global_run_context") or {}).get("run")
        if run and "assignments" not in run:
            assignments = _facts()["assignments"]
            run["assignments"] = assignments
            suggestion = {"id": None, "experiment": None, "assignments": assignments}
            context["run_connection"] = {"run_context": {"run": {"id": run["id"]}, "suggestion": suggestion}}
            # Only while it is imported: no other program could be started with it.
            os.environ["SIGOPT_CONTEXT"] = base64.b64encode(json.dumps(context).encode()).decode()
    except Exception:
        _complain()
    try:
        yield
    finally:
        if before is not None:
            os.environ["SIGOPT_CONTEXT"] = before


def _complain():
    if os.environ.get("TRIALFLOW_DEBUG"):
        import traceback

        traceback.print_exc()


_own = None
try:
    sys.meta_path.insert(0, _Finder)
    _own = _find_the_users_own()
except Exception:
    _complain()
if _own is not None:  # what goes wrong in there is the user's to see, as without this file
    sys.modules["sitecustomize"] = _own[1]
    _own[0].loader.exec_module(_own[1])
