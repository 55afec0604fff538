"""The entry point: which commands there are, and how errors are reported."""

import errno
import os
import sys
import traceback

import click

from trialflow import __version__
from trialflow.cli.environment import check_environment
from trialflow.cli.lazy import Commands, Table
from trialflow.cli.terminal.messages import error, hint, say
from trialflow.cli.terminal.streams import end_streams, secure_streams
from trialflow.errors import TrialflowError
from trialflow.events import notices
from trialflow.network import bypass_proxies_on_loopback
from trialflow.packages import prefer_own_packages

COMMANDS: Table = {
    "init": ("trialflow.cli.init:init", "Write the files to start from."),
    "run": ("trialflow.cli.run:run", "Execute one training run and track it."),
    "optimize": ("trialflow.cli.optimize:optimize", "Run the experiment in experiment.yml, or resume it."),
    "start-worker": ("trialflow.cli.start_worker:start_worker", "Join the work on an experiment, from this machine or another."),
    "cluster": ("trialflow.cli.cluster:cluster", "Connect Kubernetes clusters, and run and optimize models on them."),
    "experiment": ("trialflow.cli.experiment:experiment", "List, show, stop, copy or export experiments, and get the best result."),
    "up": ("trialflow.cli.up:up", "Start the Prefect UI, the service and a worker that stay up."),
    "down": ("trialflow.cli.up:down", "Stop what `up` started."),
    "follow": ("trialflow.cli.follow:follow", "Follow an experiment that `up` works on."),
    "schedule": ("trialflow.cli.schedule:schedule", "Run an experiment again and again, at times of your choice."),
    "deploy": ("trialflow.cli.deploy:deploy", "Register the deployments at a Prefect server of your own."),
    "open": ("trialflow.cli.open:open_", "Look at experiments in the browser."),
    "logs": ("trialflow.cli.logs:logs", "Print the output of a training run."),
    "create": ("trialflow.cli.create:create", "Create an experiment or a project."),
    "archive": ("trialflow.cli.archive:archive", "Archive experiments or training runs."),
    "unarchive": ("trialflow.cli.archive:unarchive", "Restore archived experiments or training runs."),
    "service": ("trialflow.cli.service:service", "Serve the SigOpt-compatible API in the foreground."),
    "token": ("trialflow.cli.service:token", "Print the token of the service and the Prefect UI."),
    "doctor": ("trialflow.cli.doctor:doctor", "Check this machine for problems, with a fix for each."),
    "schema": ("trialflow.cli.schema:schema", "Print the JSON Schema of a file, for editors."),
    "version": ("trialflow.cli.version:version", "Print the version."),
}


@click.group(cls=Commands, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="trialflow", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show tracebacks and flow logs.")
@click.pass_context
def trialflow(ctx: click.Context, debug: bool) -> None:
    """Tune models on your own compute: this machine, Kubernetes or AWS.

    Start with `trialflow init`, then `trialflow optimize`.
    """
    if debug:
        os.environ["TRIALFLOW_DEBUG"] = "1"
    check_environment(ctx.invoked_subcommand)


def main() -> None:
    """Run the command line. Exit codes: 0 ok, 1 error, 2 usage or invalid file, 3 the model failed, 4 a limit was reached, 130 interrupted."""
    secure_streams()
    prefer_own_packages()
    bypass_proxies_on_loopback(os.environ)
    notices.set(say)
    code = call(sys.argv[1:])
    if unwritten := end_streams():
        code = code or _tell_file(unwritten)
    sys.exit(code)


def call(arguments: list[str]) -> int:
    """Run the command line with `arguments` and return the exit code. Every error is reported."""
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
    except OSError as problem:
        return _tell_file(problem)
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
        hint(f"see `{context.command_path} --help`")
    return 2 if problem.exit_code in (1, 2) else problem.exit_code


def _tell(problem: TrialflowError) -> int:
    if is_debugging():
        traceback.print_exception(problem)
    error(problem.message)
    if problem.hint:
        hint(problem.hint)
    return problem.exit_code


def _tell_file(problem: OSError) -> int:
    """A file or folder that is not what was expected: rarely trialflow's own fault."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        error(f"there is no room to write: {problem.strerror}")
        return 1
    if problem.filename is None:
        return _tell_bug(problem)
    if is_debugging():
        traceback.print_exception(problem)
    error(f"{os.fsdecode(problem.filename)}: {problem.strerror or problem}")
    hint("check that it exists and that you may use it; `trialflow --debug ...` shows where it was needed")
    return 1


def _tell_bug(problem: Exception) -> int:
    from trialflow.home import Home

    if is_debugging():
        traceback.print_exception(problem)
    error(f"{type(problem).__name__}: {problem}")
    try:
        home = Home.from_environment()
        log = home.make(home.logs) / "last-error.log"
        log.write_text("".join(traceback.format_exception(problem)))
        hint(f"this is a bug in trialflow or a problem with this machine; the traceback is in {log}")
    except (OSError, TrialflowError) as unwritable:
        hint(f"the traceback could not be saved ({unwritable}); `trialflow --debug ...` shows it")
    return 1
