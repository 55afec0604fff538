"""The model's process: in a session of its own, with its context in the environment, and nothing of it left at the end."""

import base64
import json
import os
import signal
import sys

SECRETS = ("PREFECT_API_AUTH_STRING", "PREFECT_API_KEY", "PREFECT_SERVER_API_AUTH_STRING", "SIGOPT_API_TOKEN")
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def variables(plan, folder, port, token):
    """The model's environment: this process's, which is the user's, with the training run's facts and without what is not the model's business."""
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS and not name.startswith("TRIALFLOW_UPSTREAM_")}
    run = plan["training_run"]
    assignments = run.get("assignments") or {}
    facts = {
        "training_run": run,
        "attempt": plan["attempt"],
        "experiment": plan["experiment_id"],
        "project": plan["project"],
        "assignments": assignments,
    }
    context_file = os.path.join(folder, "context.json")
    with open(context_file, "w") as file:
        json.dump(facts, file)
    context = {"global_run_context": {"run": run}, "user_agent_info": ["trialflow"]}
    shim = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim")
    environment.update(
        {
            "SIGOPT_CONTEXT": base64.b64encode(json.dumps(context).encode()).decode(),
            "SIGOPT_API_URL": "http://127.0.0.1:%d" % port,
            "SIGOPT_API_TOKEN": token,
            "SIGOPT_PROJECT": plan["project"],
            "SIGOPT_RUN_ID": str(run["id"]),
            "SIGOPT_RUN_NAME": str(run.get("name") or ""),
            "TRIALFLOW_TRAINING_RUN_ID": str(run["id"]),
            "TRIALFLOW_TRAINING_RUN_NAME": str(run.get("name") or ""),
            "TRIALFLOW_EXPERIMENT_ID": str(plan["experiment_id"] or ""),
            "TRIALFLOW_ATTEMPT": str(plan["attempt"]),
            "TRIALFLOW_CONTEXT_FILE": context_file,
            "PYTHONPATH": os.pathsep.join([shim] + [path for path in [environment.get("PYTHONPATH")] if path]),
        }
    )
    environment.setdefault("PYTHONUNBUFFERED", "1")
    for name, value in assignments.items():
        key = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name) if hasattr(str, "isascii") else name
        environment["TRIALFLOW_PARAM_" + key.upper()] = repr(value) if isinstance(value, float) else str(value)
    return environment


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
        with open(os.path.join(folder, "model.json"), "w") as file:
            json.dump({"pid": self.pid}, file)
        return None

    def _become_model(self, prctl, parent, printed, failing):
        try:
            os.setsid()
            if prctl:
                prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != parent:
                    os._exit(1)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(printed, 1)
            os.dup2(printed, 2)
            what = "the folder %s could not be entered" % self.directory
            if self.directory:
                os.chdir(self.directory)
            what = "%s could not be started" % self.command[0]
            os.execvpe(self.command[0], self.command, self.environment)
        except BaseException as error:
            os.write(failing, ("%s: %s" % (what, getattr(error, "strerror", None) or error)).encode())
        os._exit(127)

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


def oom_kills():
    """How many processes this machine's kernel has killed for want of memory since it started; 0 where it does not say."""
    try:
        with open("/proc/vmstat") as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0
