"""This machine keeps the contract of a compute."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.local import LocalCompute
from tests.contract.compute import ComputeContract, WithoutService


class TestLocalCompute(ComputeContract):
    @pytest.fixture
    def another(self, tmp_path: Path) -> Callable[[], LocalCompute]:
        return lambda: LocalCompute(tmp_path / "runs", api_url="http://127.0.0.1:9")

    @pytest.fixture
    def python(self) -> str:
        return sys.executable


class TestWithoutService(WithoutService):
    @pytest.fixture
    def another(self, tmp_path: Path) -> Callable[[], LocalCompute]:
        return lambda: LocalCompute(tmp_path / "runs", api_url="")

    @pytest.fixture
    def python(self) -> str:
        return sys.executable
