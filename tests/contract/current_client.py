"""All that a model can do with the `sigopt` client 8, as a program that is one. Prints `done` at the end.

Its argument is what it does: `log` everything about its own training run, right and wrong, or ask the `service` for more than that.
"""

import os
import sys
import tempfile

import sigopt
from sigopt.exception import SigOptException
from sigopt.run_context import global_run_context

PARAMETERS = [dict(name="x", type="double", bounds=dict(min=0, max=1))]
NAN = float("nan")


def log():
    """What is right is kept."""
    assert sigopt.params.x == sigopt.params["x"] == 1.5 and dict(sigopt.params) == {"x": 1.5}
    sigopt.params.setdefaults({"x": 9, "depth": 3})
    sigopt.params.own = 2
    sigopt.params.update({"kind": "a"})
    assert (sigopt.params.x, sigopt.params.depth, sigopt.get_run_id()) == (1.5, 3, os.environ["SIGOPT_RUN_ID"])
    sigopt.set_project("ignored")
    sigopt.log_dataset("data")
    sigopt.log_model("forest")
    sigopt.log_metadata("note", "hello")
    sigopt.log_metadata("number", 4)
    sigopt.log_metadata("thing", [1])
    sigopt.log_metric("y", 0.5, stddev=0.1)
    sigopt.log_metric(name="loss", value=2)
    sigopt.log_metrics({"a": 1, "b": 2})
    sigopt.log_metrics(c=3)
    sigopt.log_checkpoint({"loss": 2})
    with tempfile.TemporaryDirectory() as folder:
        picture = os.path.join(folder, "a.svg")
        with open(picture, "w") as file:
            file.write("<svg/>")
        sigopt.log_image(picture, name="picture")
    run = global_run_context.run_context
    run.set_parameter("late", 5)
    run.set_parameters({"later": 6})
    run.set_parameter_meta("x", {"m": 1})
    run.set_parameters_meta({"depth": {"m": 2}})
    run.set_parameter_source("depth", "user")
    run.set_parameters_source({"own": 2}, "user")
    run.set_parameters_sources_meta("user", sort=1, default_show=True)
    run.log_dev_metadata("dev", 1)
    run.log_sys_metadata("sys", 1)
    run.log_source_code(content="print()", hash="abc")
    run.set_logs({"mine": "words"})  # it is the launcher that keeps the log


def log_what_is_wrong():
    """It is left out with a warning, and nothing is raised."""
    for value in (NAN, float("inf"), "text", None, [1], 10**400):
        sigopt.log_metric("bad", value)
    sigopt.log_metric("fine", 1, stddev=NAN)
    sigopt.log_metric(3, 1)
    sigopt.log_metric("", 1)
    sigopt.log_metrics({"good": 1, "worse": NAN})
    sigopt.log_metrics([1])
    sigopt.log_checkpoint({"loss": 1, "bad": NAN})
    sigopt.log_checkpoint([1])
    sigopt.log_metadata("", 1)
    sigopt.log_metadata("odd", NAN)
    sigopt.log_dataset(5)
    sigopt.log_image("there is none.svg")
    sigopt.log_image(object())
    sigopt.params.update({"not a number": NAN})
    sigopt.log_metric("was", 1)
    sigopt.log_metric("was", NAN)


def ask_for_more():
    """What is about more than the own training run says why it cannot be."""
    body = dict(name="e", parameters=PARAMETERS, metrics=[dict(name="y")], budget=2)
    connection = sigopt.Connection()
    wishes = {
        "create_run": lambda: sigopt.create_run(name="r"),
        "create_experiment": lambda: sigopt.create_experiment(**body),
        "create_aiexperiment": lambda: sigopt.create_aiexperiment(**body),
        "create_project": lambda: sigopt.create_project("p"),
        "get_experiment": lambda: sigopt.get_experiment("987654"),
        "archive_experiment": lambda: sigopt.archive_experiment("987654"),
        "unarchive_experiment": lambda: sigopt.unarchive_experiment("987654"),
        "get_run": lambda: sigopt.get_run("987654"),
        "archive_run": lambda: sigopt.archive_run("987654"),
        "unarchive_run": lambda: sigopt.unarchive_run("987654"),
        "upload_runs": lambda: sigopt.upload_runs([dict(name="r")]),
        "experiments": lambda: connection.experiments().create(**body),
        "suggestions": lambda: connection.experiments("987654").suggestions().create(),
        "archive its own": lambda: connection.training_runs(sigopt.get_run_id()).delete(),
    }
    for name, wish in wishes.items():
        try:
            print(name, "was possible:", wish())
        except SigOptException as error:
            print(name + ":", error)


if __name__ == "__main__":
    for step in {"log": (log, log_what_is_wrong), "service": (ask_for_more,)}[sys.argv[1]]:
        step()
    print("done")
