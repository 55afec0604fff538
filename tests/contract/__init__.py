"""Contract suites: one class of rules for each interface that has several implementations; each of those is tested by a subclass."""

import pytest

pytest.register_assert_rewrite("tests.contract.compute", "tests.contract.training")
