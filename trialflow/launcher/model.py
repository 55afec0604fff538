"""The model's process: in a session of its own, with its context in the environment, and nothing of it left at the end."""

import binascii
import errno
import json
import os
import signal
import sys

SECRETS = ("SIGOPT_API_TOKEN", "TRIALFLOW_DATABASE_URL")
SECRET_WORDS = ("KEY", "AUTH", "PASSWORD", "SECRET", "TOKEN", "CONNECTION_URL", "HEADERS")
HEAVY = (
    "logs",
    "source_code",
    "files",
    "values",
    "metadata",
    "dev_metadata",
    "sys_metadata",
    "datasets",
    "model",
    "tags",
    "assignments_meta",
    "assignments_sources",
)
"""What may grow large in a training run, and is not needed to know it by."""
VARIABLE_BYTES = 96 << 10
"""Limit of what goes into one variable: the kernel takes 128 KiB. What is larger is in the file TRIALFLOW_CONTEXT_FILE alone."""
LOOPBACK = "127.0.0.1,localhost"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def variables(plan, folder, port, token):
    """The model's environment: this process's, which is the user's, with the training run's facts and without what is not the model's business."""
    environment = {name: value for name, value in os.environ.items() if not is_secret(name)}
    run = plan["training_run"]
    context_file = os.path.join(folder, "context.json")
    with open(context_file, "w") as file:
        json.dump(facts(run, plan["attempt"], plan["experiment_id"], plan["project"]), file)
    shim = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim")
    environment.update(
        {
            "SIGOPT_API_URL": "http://127.0.0.1:%d" % port,
            "SIGOPT_API_TOKEN": token,
            "PYTHONPATH": os.pathsep.join([shim] + [path for path in [environment.get("PYTHONPATH")] if path]),
        }
    )
    environment.setdefault("PYTHONUNBUFFERED", "1")
    if any(name.lower() in ("http_proxy", "all_proxy") for name in environment):
        # The relay is on loopback. A lower-case variable hides one in capitals.
        before = environment.get("no_proxy") or environment.get("NO_PROXY")
        environment["NO_PROXY"] = environment["no_proxy"] = before + "," + LOOPBACK if before and before != "*" else before or LOOPBACK
    environment.update(facts_variables(run, plan["attempt"], plan["experiment_id"], plan["project"], context_file))
    return environment


def facts_variables(run, attempt, experiment_id, project, context_file):
    """The variables that tell a model of its training run, wherever it runs; `context_file` is where its facts are."""
    name = str(run.get("name") or "")
    return {
        "SIGOPT_CONTEXT": context(run),
        "SIGOPT_PROJECT": project,
        "SIGOPT_RUN_ID": str(run["id"]),
        "SIGOPT_RUN_NAME": name,
        "TRIALFLOW_TRAINING_RUN_ID": str(run["id"]),
        "TRIALFLOW_TRAINING_RUN_NAME": name,
        "TRIALFLOW_EXPERIMENT_ID": str(experiment_id or ""),
        "TRIALFLOW_ATTEMPT": str(attempt),
        "TRIALFLOW_CONTEXT_FILE": context_file,
        **parameter_variables(run.get("assignments") or {}),
    }


def facts(run, attempt, experiment_id, project):
    """What the file TRIALFLOW_CONTEXT_FILE says. Large assignments are in there once, small ones in the training run as well."""
    assignments = run.get("assignments") or {}
    shown = run if len(json.dumps(assignments)) <= VARIABLE_BYTES else {name: value for name, value in run.items() if name != "assignments"}
    return {"training_run": shown, "attempt": attempt, "experiment": experiment_id, "project": project, "assignments": assignments}


def is_secret(name):
    """Whether a variable is for this process or for trialflow's own servers, and not for the model."""
    if name in SECRETS or name.startswith("TRIALFLOW_UPSTREAM_"):
        return True
    return name.startswith("PREFECT_") and any(word in name for word in SECRET_WORDS)


def light(run):
    """The training run without what may grow large."""
    return {name: value for name, value in run.items() if name not in HEAVY}


def context(run):
    """What the `sigopt` client learns its training run from: base64 of JSON, with as much as one variable holds.

    `global_run_context` is for clients from 8.0 on, `run_connection` and `suggestion` for those before. If not even the assignments fit, the shim
    takes them from TRIALFLOW_CONTEXT_FILE.
    """
    known = {name: run[name] for name in ("id", "name", "experiment", "state", "assignments") if name in run}
    candidates = [contexts(run), contexts(light(run)), {"global_run_context": {"run": known}}]
    for candidate in candidates + [{"global_run_context": {"run": {"id": run["id"]}}}]:
        text = binascii.b2a_base64(json.dumps(dict(candidate, user_agent_info=["trialflow"])).encode(), newline=False).decode()
        if len(text) <= VARIABLE_BYTES:
            break
    return text


def contexts(run):
    """The training run as each generation of the client reads it."""
    assignments = run.get("assignments")
    suggestion = {"id": run.get("suggestion"), "experiment": run.get("experiment"), "assignments": assignments} if assignments else None
    older = {"run": {"id": run["id"], "object": "training_run"}, "suggestion": suggestion}
    return {"global_run_context": {"run": run}, "run_connection": {"run_context": older}}


def in_variable(run):
    """The training run if it fits into a variable, else None: then it is read from the file that the model gets."""
    return run if len(json.dumps(run)) <= VARIABLE_BYTES else None


def parameter_variables(assignments):
    """Variable -> value as text for each parameter. Where two parameters would have the same variable, neither has one."""
    names = [variable_of(parameter) for parameter in assignments]
    texts = {parameter: repr(value) if isinstance(value, float) else str(value) for parameter, value in assignments.items()}
    return {variable_of(parameter): text for parameter, text in texts.items() if names.count(variable_of(parameter)) == 1}


def variable_of(parameter):
    """The variable that holds a parameter's value: TRIALFLOW_PARAM_ and its name, upper-cased, other characters as _."""
    return "TRIALFLOW_PARAM_" + "".join(letter if letter.isalnum() and ord(letter) < 128 else "_" for letter in parameter).upper()


class Model:
    """The model's process group. `output` is the reading end of what it prints."""

    def __init__(self, command, directory, environment):
        self.command = command
        self.directory = directory
        self.environment = environment
        self.pid = None
        self.output = None

    def start(self, folder):
        """Start it. Returns None, or why it could not be started."""
        prctl = self._prctl()
        if prctl:
            prctl(PR_SET_CHILD_SUBREAPER, 1)  # what the model leaves behind becomes our child, so that it can be found
        self.output, printed = os.pipe()
        failed, failing = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            self._become_model(prctl, parent, printed, failing)
        os.close(printed)
        os.close(failing)
        with os.fdopen(failed, "rb") as pipe:
            problem = pipe.read().decode(errors="replace")
        if problem:
            os.waitpid(self.pid, 0)
            return problem
        try:
            with open(os.path.join(folder, "model.json"), "w") as file:
                json.dump({"pid": self.pid}, file)
        except OSError:
            pass  # it is for people who look: a full disk is no reason to end the model
        return None

    def _become_model(self, prctl, parent, printed, failing):
        what = "%s could not be started" % self.command[0]
        try:
            os.setsid()
            if prctl:
                prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != parent:
                    os._exit(1)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(printed, 1)
            os.dup2(printed, 2)
            if self.directory:
                what = "the folder %s could not be entered" % self.directory
                os.chdir(self.directory)
                what = "%s could not be started" % self.command[0]
            os.execvpe(self.command[0], self.command, self.environment)
        except BaseException as error:
            why = "%s: %s%s" % (what, getattr(error, "strerror", None) or error, self._advice(error))
            os.write(failing, why.encode("utf-8", "replace"))
        finally:
            os._exit(127)  # whatever happens: there must not be two launchers

    def _advice(self, error):
        if getattr(error, "errno", None) == errno.ENOEXEC:
            return " (its first line must name its interpreter, as in `#!/usr/bin/env python3`)"
        if getattr(error, "errno", None) == errno.ENOENT and os.path.isfile(self.command[0]):
            return " (the file is there, the interpreter that its first line names is not)"
        return ""

    @staticmethod
    def _prctl():
        if not sys.platform.startswith("linux"):
            return None
        try:
            import ctypes

            return ctypes.CDLL(None).prctl
        except (ImportError, OSError, AttributeError):
            return None

    def poll(self):
        """Its wait status if it has ended, else None. Other children that have ended are taken in as well."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return None
            if pid == 0:
                return None
            if pid == self.pid:
                return status

    def signal(self, number):
        """Send a signal to its whole group."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def is_alone(self):
        """Whether the model left nothing behind that this process would know of."""
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        return False

    def end_leftovers(self):
        """Kill what the model left running: its group, then, where this process inherits orphans, all that is left."""
        self.signal(signal.SIGKILL)
        for _ in range(1000):
            try:
                pid, _status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                children = self._children()
                if not children:
                    return
                for child in children:
                    try:
                        os.kill(child, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                os.waitpid(-1, 0)

    @staticmethod
    def _children():
        try:
            with open("/proc/self/task/%d/children" % os.getpid()) as file:
                return [int(pid) for pid in file.read().split()]
        except (OSError, ValueError):
            return []
