"""`trialflow schema`."""

import json

import click


@click.command()
@click.argument("kind", type=click.Choice(["run", "experiment", "cluster"]))
def schema(kind: str) -> None:
    """Print the JSON Schema of a file, so that your editor can check and complete it as you type.

    In VS Code, run `trialflow schema experiment > .experiment.json` and make this the first line of experiment.yml:
    `# yaml-language-server: $schema=.experiment.json`.
    """
    from trialflow.specs import json_schema

    click.echo(json.dumps(json_schema(kind), indent=2))  # type: ignore[arg-type]
