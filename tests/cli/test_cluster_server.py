"""What `trialflow cluster server` prints for another shell."""

import shlex
import subprocess
from pathlib import Path

from tasks.kubernetes.client.cluster import Cluster
from trialflow.cli.cluster.kubectl import split_arguments
from trialflow.cli.cluster.server import exports
from trialflow.cli.reaching import Reached

STUB = """\
#!/bin/sh
printf '%s\\n' "$*" >> "$ASKED"
printf {data} | base64
"""


def test_a_shell_that_is_told_these_lines_has_the_addresses_and_asks_kubectl_for_the_tokens(tmp_path: Path) -> None:
    asked, program = tmp_path / "asked", tmp_path / "trialflow"
    program.write_text(STUB.replace("{data}", "a-token"))
    program.chmod(0o755)
    reached = Reached(Cluster("mine"), "http://127.0.0.1:4200/api", "http://127.0.0.1:4200/v2", "http://127.0.0.1:5555", {})
    lines = exports(reached)
    assert "a-token" not in "".join(lines)
    script = "\n".join([*lines, 'echo "$PREFECT_API_URL $SIGOPT_API_URL $SIGOPT_API_TOKEN $PREFECT_API_AUTH_STRING"'])
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "ASKED": str(asked)}
    out = subprocess.run(["sh", "-c", script], env=variables, capture_output=True, text=True, check=True).stdout
    assert out.split() == ["http://127.0.0.1:4200/api", "http://127.0.0.1:5555", "a-token", "trialflow:a-token"]
    for line, key in zip(asked.read_text().splitlines(), ("token", "prefect-token"), strict=True):
        ours, *words = shlex.split(line)
        assert (ours, words[0]) == ("cluster", "kubectl")
        name, given = split_arguments(tuple(words[1:]))
        assert name == "mine"
        assert given == ("get", "secret", "trialflow-server", "-o", f"jsonpath={{.data.{key}}}")
