"""Words that people bring from older files and other tools, and what to write instead."""

import difflib
from collections.abc import Iterable

KEYS = {
    "ExperimentSpec": {
        "project": "the project is given by --project, SIGOPT_PROJECT or the folder's name",
        "observation_budget": "`budget` says how many training runs",
        "tasks": "an AI experiment has none",
        "metric": "`metrics` is a list of them",
        "runs_only": "AI experiments always have training runs; leave it out",
        "optimization": "what is in it goes to the top of experiment.yml; the rest of an old orchestrate.yml goes into run.yml",
        **dict.fromkeys(("run", "image", "resources", "aws", "env", "timeout", "secrets", "pod"), "it goes into run.yml"),
        "language": "leave it out; `run` in run.yml has the command",
        "framework": "leave it out; the Dockerfile says what is installed",
        "install": "leave it out; the Dockerfile says what is installed",
        "resources_per_model": "`resources` in run.yml has what a training run needs",
        "cpus": "it goes into `resources: {requests: {cpu: ...}}` in run.yml",
        "cpu": "it goes into `resources: {requests: {cpu: ...}}` in run.yml",
        "memory": "it goes into `resources: {requests: {memory: ...}}` in run.yml",
        "gpus": "it goes into `resources: {gpus: ...}` in run.yml",
        "sigopt": "a token and an address are given by SIGOPT_API_TOKEN and SIGOPT_API_URL, or as a service block",
    },
    "ParameterSpec": {
        "min": "it goes into `bounds: {min: ..., max: ...}`",
        "max": "it goes into `bounds: {min: ..., max: ...}`",
        "values": "`categorical_values` lists the values of a categorical parameter, `grid` those of a number",
        "choices": "`categorical_values` lists the values of a categorical parameter",
        "step": "`grid` lists the values, as in `grid: [0, 0.5, 1]`",
        "q": "`grid` lists the values, as in `grid: [0, 0.5, 1]`",
        "value": "leave a constant out of `parameters` and give it to the model in `run` or `env` of run.yml",
        "log": "`transformation: log` searches on a logarithmic scale",
    },
    "MetricSpec": {"goal": "`objective` says maximize or minimize", "type": "`objective` says maximize or minimize, `strategy` what it is for"},
    "AwsOptions": {
        "region": "it goes to the top of the file, beside `provider`",
        "subnets": "it goes to the top of the file, beside `provider`",
        "private_nodes": "it goes to the top of the file, beside `provider`",
    },
    "NodeGroup": {"instance_types": "`instance_type` names one; make `cpu` or `gpu` a list for several kinds of machines"},
    "Resources": {
        "cpus": "it goes into `requests: {cpu: ...}`",
        "cpu": "it goes into `requests: {cpu: ...}`",
        "memory": "it goes into `requests: {memory: ...}`",
    },
    "RunSpec": {
        "language": "`run` has the command",
        "framework": "the Dockerfile says what is installed",
        "install": "the Dockerfile says what is installed",
        "resources_per_model": "`resources` has what a training run needs",
        "optimization": "experiment.yml has the experiment",
        "build_image": "give `image` and no Dockerfile to use an image as it is",
        "command": "`run` has the command",
        "cmd": "`run` has the command",
        "gpus": "it goes into `resources: {gpus: ...}`",
        "cpus": "it goes into `resources: {requests: {cpu: ...}}`",
        "cpu": "it goes into `resources: {requests: {cpu: ...}}`",
        "memory": "it goes into `resources: {requests: {memory: ...}}`",
        "sigopt": "a token and an address are given by SIGOPT_API_TOKEN and SIGOPT_API_URL, or as a service block",
        "parameters": "experiment.yml has the experiment",
        "budget": "experiment.yml has the experiment",
        "parallel_bandwidth": "experiment.yml has the experiment",
        "observation_budget": "experiment.yml has the experiment, and calls it `budget`",
    },
}
"""Model -> key that it does not have -> what to do instead."""
SYNONYMS = {
    "float": "double",
    "real": "double",
    "integer": "int",
    "choice": "categorical",
    "string": "categorical",
    "min": "minimize",
    "max": "maximize",
    "bayesian": "offline",
    "eks": "aws",
}


def meant(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that was probably meant by `word`, which is none of them."""
    known = list(known)
    lower = word.lower()
    by_synonym = SYNONYMS.get(lower)
    if by_synonym in known:
        return by_synonym
    close = difflib.get_close_matches(lower, known, 1)
    return close[0] if close else None
