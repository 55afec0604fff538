"""`run.yml`, `experiment.yml` and `cluster.yml` as typed models: their rules, errors with file and line, and JSON Schema.

This room knows files and pydantic, and nothing of what the files are used for.
"""

from trialflow.specs.body import validate_experiment_body
from trialflow.specs.cluster import ClusterSpec
from trialflow.specs.command import command_of, shell_text
from trialflow.specs.conditional import ConditionalSpec
from trialflow.specs.constraint import LinearConstraintSpec, TermSpec
from trialflow.specs.experiment import ExperimentSpec
from trialflow.specs.flow_parameters import FlowClusterSpec, FlowRunSpec, parameter_of
from trialflow.specs.loading import experiment_from, file_of, is_empty, load_cluster, load_experiment, load_run, run_from
from trialflow.specs.metric import MetricSpec
from trialflow.specs.parameter import BoundsSpec, ParameterSpec, PriorSpec
from trialflow.specs.problem import Problem, SpecError
from trialflow.specs.run import AwsKeys, RunSpec
from trialflow.specs.schema import json_schema
from trialflow.specs.stopping import EarlyStoppingSpec, early_stopping_of
from trialflow.specs.update import check_update
from trialflow.specs.writing import to_yaml

__all__ = [
    "AwsKeys",
    "BoundsSpec",
    "ClusterSpec",
    "ConditionalSpec",
    "EarlyStoppingSpec",
    "ExperimentSpec",
    "FlowClusterSpec",
    "FlowRunSpec",
    "LinearConstraintSpec",
    "MetricSpec",
    "ParameterSpec",
    "PriorSpec",
    "Problem",
    "RunSpec",
    "SpecError",
    "TermSpec",
    "check_update",
    "command_of",
    "early_stopping_of",
    "experiment_from",
    "file_of",
    "is_empty",
    "json_schema",
    "load_cluster",
    "load_experiment",
    "load_run",
    "parameter_of",
    "run_from",
    "shell_text",
    "to_yaml",
    "validate_experiment_body",
]
