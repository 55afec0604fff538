"""The launcher's own process in a pod: `python pod.py COMMAND...`. See `docs/kubernetes.md`.

What to do is in the variable TRIALFLOW_LAUNCH. What the model prints and logs goes to standard output, which the cluster keeps as the pod's log;
how it ended goes there as well and, short, to the container's termination message.
"""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from launcher.attempt import AttemptRunner  # noqa: E402
from launcher.marks import LogRecords, nonce_prefix, short  # noqa: E402

WORK = "TRIALFLOW_WORK"
"""The variable that names a folder of the pod that can be written to."""
TERMINATION = "/dev/termination-log"
NOT_STARTED = 127


def main(command):
    """Be the launcher of this pod's attempt. Returns the exit code: the model's own, as far as there is one."""
    plan = json.loads(os.environ.pop("TRIALFLOW_LAUNCH"))
    plan["command"] = command
    plan.setdefault("directory", None)
    if plan.get("training_run") is None:  # too large for a variable: it is in the file that the model gets
        with open(os.environ["TRIALFLOW_CONTEXT_FILE"], encoding="utf-8") as file:
            facts = json.load(file)
        plan["training_run"] = dict(facts["training_run"], assignments=facts["assignments"])
    records = LogRecords(sys.stdout.fileno(), nonce_prefix(plan["training_run"].get("name"), plan["attempt"]))
    records.begin("%d.%d" % sys.version_info[:2])
    facts = AttemptRunner(os.environ.pop(WORK, "/tmp"), plan, records).make(None)
    try:
        with open(TERMINATION, "w") as file:
            file.write(short(facts, records))
    except OSError:
        pass  # the log says the same
    return code_of(facts)


def code_of(facts):
    """The exit code that the container ends with."""
    if facts.get("problem"):
        return NOT_STARTED
    if facts.get("signal"):
        return 128 + facts["signal"]
    return facts.get("code") or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
