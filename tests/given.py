"""What tests are given beside this machine. A test that needs what is not given skips, with the reason."""

import os

import pytest


def kubeconfig() -> str:
    """The path of the kubeconfig of an administrator of a cluster to test on."""
    return _given("TRIALFLOW_TEST_KUBECONFIG", "kubeconfig: there is no cluster to test on")


def registry() -> str:
    """The address, `HOST:PORT`, of an image registry without TLS and login."""
    return _given("TRIALFLOW_TEST_REGISTRY", "registry: there is no image to execute")


def _given(variable: str, what: str) -> str:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} names no {what}")
    return value
