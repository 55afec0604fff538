"""What people did with the `sigopt` client 7.5, as a program executed under that client. SIGOPT_API_URL and SIGOPT_API_TOKEN name the service.

With the argument `model` it is a model: it uses the run that trialflow gave it. Prints `done` at the end.
"""

import sys

import sigopt
from sigopt.exception import ApiException


def core_api(connection):
    """Experiments, suggestions and observations."""
    experiment = connection.experiments().create(
        name="older",
        parameters=[
            dict(name="x", type="double", bounds=dict(min=0, max=1)),
            dict(name="k", type="categorical", categorical_values=[dict(name="a"), dict(name="b")]),
            dict(name="n", type="int", bounds=dict(min=1, max=9)),
        ],
        metrics=[dict(name="y", objective="maximize")],
        observation_budget=6,
        parallel_bandwidth=2,
        metadata=dict(who="me"),
    )
    here = connection.experiments(experiment.id)
    for number in range(4):
        suggestion = here.suggestions().create()
        assert 0 <= suggestion.assignments["x"] <= 1 and suggestion.state == "open"
        if number == 3:
            here.observations().create(suggestion=suggestion.id, failed=True)
        else:
            values = [dict(name="y", value=suggestion.assignments["x"], value_stddev=0.1)]
            seen = here.observations().create(suggestion=suggestion.id, values=values, metadata=dict(n=number))
            assert seen.value == suggestion.assignments["x"] and seen.metadata["n"] == number
    batch = here.observations().create_batch(
        observations=[dict(assignments=dict(x=0.5, k="a", n=3), values=[dict(name="y", value=0.5)])], no_optimize=True
    )
    assert len(list(batch.iterate_pages())) == 1
    experiment = here.fetch()
    assert experiment.progress.observation_count == 5 and experiment.metadata["who"] == "me"
    best = list(here.best_assignments().fetch().iterate_pages())
    assert best[0].value == experiment.progress.best_observation.value
    observations = list(here.observations().fetch(limit=2).iterate_pages())
    assert len(observations) == 5 and sum(one.failed for one in observations) == 1
    changed = here.observations(observations[0].id).update(values=[dict(name="y", value=0.25)])
    assert changed.values[0].value == 0.25
    here.observations(observations[0].id).delete()
    queued = here.queued_suggestions().create(assignments=dict(x=0.125, k="b", n=2))
    assert here.queued_suggestions(queued.id).fetch().assignments["x"] == 0.125
    opened = here.suggestions().create(metadata=dict(m="q"))
    assert opened.assignments["x"] == 0.125
    assert here.suggestions(opened.id).update(metadata=dict(m="r")).metadata["m"] == "r"
    here.suggestions(opened.id).delete()
    here.metric_importances().fetch()
    here.stopping_criteria().fetch()
    assert here.update(name="renamed").name == "renamed"
    assert here.tokens().create().token
    here.delete()
    assert here.fetch().state == "deleted"


def objects_around(connection):
    """Clients, projects, tokens and training runs."""
    token = connection.tokens("self").fetch()
    client = connection.clients(token.client)
    assert client.fetch().id == token.client
    try:
        client.projects().create(id="older", name="Older")
    except ApiException as error:
        assert error.status_code == 409
    assert client.projects("older").update(name="Old").name == "Old"
    assert "older" in [one.id for one in client.projects().fetch().iterate_pages()]
    run = client.projects("older").training_runs().create(name="by hand")
    connection.training_runs(run.id).checkpoints().create(values=[dict(name="loss", value=1.5)])
    assert connection.training_runs(run.id).update(state="completed").state == "completed"
    assert run.id in [one.id for one in client.projects("older").training_runs().fetch().iterate_pages()]
    connection.training_runs(run.id).delete()
    listed = client.experiments().fetch(limit=3)
    assert listed.count >= 0


def runs_of_a_notebook():
    """`create_run`, as in a notebook."""
    with sigopt.create_run(name="a run", project="older") as run:
        use(run, dict(x=3))
    with sigopt.create_global_run(name="a global run", project="older") if hasattr(sigopt, "create_global_run") else sigopt.create_run() as run:
        run.log_metric("m", 1)


def use(run, defaults):
    """All that a run can log."""
    run.set_parameters(defaults)
    run.get_parameter("x", default=1)
    assert run.get_parameter("own", default=7) == 7
    run.log_dataset("data")
    run.log_metadata("key", "value")
    run.log_model("forest")
    run.log_metric("y", 0.5, stddev=0.1)
    for value in (3.0, 2.0):
        run.log_checkpoint(dict(loss=value))


def log_what_is_wrong():
    """In a model it is left out with a warning, and nothing is raised."""
    for value in (float("nan"), float("inf"), "text", None, [1]):
        sigopt.log_metric("bad", value)
    sigopt.log_metric(3, 1)
    sigopt.log_checkpoint([1])
    sigopt.log_checkpoint(dict(loss=float("nan")))
    sigopt.log_image("there is none.svg")
    sigopt.log_metadata("odd", float("nan"))


if __name__ == "__main__":
    if sys.argv[1:] == ["model"]:
        use(sigopt, {})
        log_what_is_wrong()
        assert 0 <= sigopt.get_parameter("x") <= 1 and sigopt.get_run_id()
    else:
        connection = sigopt.Connection()
        core_api(connection)
        objects_around(connection)
        runs_of_a_notebook()
    print("done")
