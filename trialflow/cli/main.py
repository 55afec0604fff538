"""The entry point: which commands there are, and how an error is told."""

import os
import sys
import traceback

import click

from trialflow import __version__
from trialflow.cli.lazy import Commands, Table
from trialflow.cli.terminal.messages import error, hint
from trialflow.errors import TrialflowError
from trialflow.network import bypass_proxies_on_loopback
from trialflow.packages import prefer_own_packages

COMMANDS: Table = {
    "init": ("trialflow.cli.init:init", "Write run.yml, experiment.yml, cluster.yml, a Dockerfile and a small model to start from."),
    "run": ("trialflow.cli.run:run", "Execute one training run, tracked."),
    "optimize": ("trialflow.cli.optimize:optimize", "Work on the experiment of experiment.yml; the same command again goes on with it."),
    "cluster": ("trialflow.cli.cluster:cluster", "Connect Kubernetes clusters, and run and optimize models on them."),
    "experiment": ("trialflow.cli.experiment:experiment", "List, show, export or stop experiments, and get the best training run."),
    "logs": ("trialflow.cli.logs:logs", "Print what a training run printed."),
    "create": ("trialflow.cli.create:create", "Create an experiment or a project."),
    "archive": ("trialflow.cli.archive:archive", "Archive experiments or training runs."),
    "unarchive": ("trialflow.cli.archive:unarchive", "Bring archived experiments or training runs back."),
    "service": ("trialflow.cli.service:service", "Serve the SigOpt-compatible API in the foreground."),
    "token": ("trialflow.cli.service:token", "Print the token that the service and the Prefect UI on this machine ask for."),
    "doctor": ("trialflow.cli.doctor:doctor", "Find out what is missing or wrong, with the fix for each."),
    "schema": ("trialflow.cli.schema:schema", "Print the JSON Schema of run.yml, experiment.yml or cluster.yml, for editors."),
    "version": ("trialflow.cli.version:version", "Print the version."),
}


@click.group(cls=Commands, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="trialflow", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show tracebacks and the log of flows.")
@click.pass_context
def trialflow(ctx: click.Context, debug: bool) -> None:
    """Tune models on your own compute: this machine, Kubernetes or AWS.

    Start with `trialflow init`, then `trialflow optimize`.
    """
    ctx.obj = {"debug": debug}
    if debug:
        os.environ["TRIALFLOW_DEBUG"] = "1"


def main() -> None:
    """Run the command line. Exit codes: 0 ok, 1 error, 2 usage or invalid file, 3 the model failed, 4 stopped by a limit, 130 interrupted."""
    prefer_own_packages()
    bypass_proxies_on_loopback(os.environ)
    sys.exit(call(sys.argv[1:]))


def call(arguments: list[str]) -> int:
    """Run the command line with `arguments` and return the exit code, with every error told."""
    try:
        result = trialflow.main(arguments, prog_name="trialflow", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as shown:
        click.echo(shown.format_message())
        return 0
    except click.Abort:
        return 130
    except KeyboardInterrupt:
        error("interrupted")
        return 130
    except click.ClickException as problem:
        return _tell_usage(problem)
    except TrialflowError as problem:
        return _tell(problem)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as problem:
        return _tell_bug(problem)
    return result if isinstance(result, int) else 0


def is_debugging() -> bool:
    """Whether `--debug` was given (or TRIALFLOW_DEBUG set)."""
    return bool(os.environ.get("TRIALFLOW_DEBUG"))


def _tell_usage(problem: click.ClickException) -> int:
    error(problem.format_message())
    context = getattr(problem, "ctx", None)
    if isinstance(problem, click.UsageError) and context is not None:
        hint(f"`{context.command_path} --help` shows how it is used")
    return 2 if problem.exit_code in (1, 2) else problem.exit_code


def _tell(problem: TrialflowError) -> int:
    if is_debugging():
        traceback.print_exception(problem)
    error(problem.message)
    if problem.hint:
        hint(problem.hint)
    return problem.exit_code


def _tell_bug(problem: Exception) -> int:
    from trialflow.home import Home

    home = Home.from_environment()
    if is_debugging():
        traceback.print_exception(problem)
    error(f"{type(problem).__name__}: {problem}")
    try:
        log = home.make(home.logs) / "last-error.log"
        log.write_text("".join(traceback.format_exception(problem)))
        hint(f"this is a fault of trialflow or of the machine; the traceback is in {log}")
    except OSError as unwritable:
        hint(f"the traceback could not be written ({unwritable}); `trialflow --debug ...` shows it")
    return 1
