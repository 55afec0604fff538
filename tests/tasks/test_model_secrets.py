"""What a model gets as secret variables: from the calling process, and from an AWS credentials block that a flow names."""

import pytest

import blocks.aws
from blocks.aws import AwsSecrets
from tasks.model_secrets import model_secrets, secrets_of_model
from trialflow.errors import InvalidInput


async def test_the_keys_of_a_named_block_join_those_of_the_calling_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(name: str) -> AwsSecrets:
        assert name == "mine"
        return AwsSecrets("AKIA", "hush", None, "eu-west-1", None)

    monkeypatch.setattr(blocks.aws, "load_aws", found)
    token = model_secrets.set({"OTHER": "x"})
    try:
        assert await secrets_of_model("mine") == {
            "OTHER": "x",
            "AWS_ACCESS_KEY_ID": "AKIA",
            "AWS_SECRET_ACCESS_KEY": "hush",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }
        assert await secrets_of_model(None) == {"OTHER": "x"}
    finally:
        model_secrets.reset(token)


async def test_a_block_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(name: str) -> AwsSecrets:
        raise ValueError("no such block")

    monkeypatch.setattr(blocks.aws, "load_aws", none)
    with pytest.raises(InvalidInput, match="no AWS credentials block called 'mine'"):
        await secrets_of_model("mine")
