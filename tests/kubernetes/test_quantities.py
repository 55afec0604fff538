"""Quantities: the grammar, exactly, and the words for people."""

from decimal import Decimal

import pytest

from tasks.kubernetes.cluster.quantities import compared, exact, figure, in_words

CASES = [
    ("2", "2"),
    (2, "2"),
    (0.5, "0.5"),
    ("500m", "0.5"),
    ("100u", "0.0001"),
    ("1n", "0.000000001"),
    ("+.5", "0.5"),
    ("5.", "5"),
    ("-1", "-1"),
    ("1k", "1000"),
    ("1Ki", "1024"),
    ("11998344Ki", "12286304256"),
    ("1.5Gi", "1610612736"),
    ("2E", "2000000000000000000"),
    ("2E3", "2000"),
    ("1e-3", "0.001"),
    ("1E+2", "100"),
    (1e-05, "0.00001"),
    ("3Ei", str(3 * 1024**6)),
]


@pytest.mark.parametrize(("quantity", "number"), CASES)
def test_a_quantity_is_the_number_that_the_grammar_says(quantity: str | int | float, number: str) -> None:
    assert exact(quantity) == Decimal(number)


@pytest.mark.parametrize("quantity", ["", "Gi", "1 Gi", "1GB", "1ki", "1e", "--1", "1.2.3", "one"])
def test_what_is_not_in_the_grammar_is_refused(quantity: str) -> None:
    with pytest.raises(ValueError, match="no Kubernetes quantity"):
        exact(quantity)


def test_tenths_add_up_exactly() -> None:
    assert sum(exact("100m") for _ in range(10)) == 1


@pytest.mark.parametrize(
    ("resource", "quantity", "words"),
    [
        ("cpu", "1500m", "1.5 CPU"),
        ("cpu", "2", "2 CPU"),
        ("cpu", "20", "20 CPU"),
        ("cpu", "0", "0 CPU"),
        ("memory", "12Gi", "12.0 GiB"),
        ("memory", "128Mi", "0.1 GiB"),
        ("nvidia.com/gpu", "1", "1 GPU"),
        ("nvidia.com/gpu", "8", "8 GPUs"),
        ("ephemeral-storage", "10Gi", "10.0 GiB of ephemeral-storage"),
        ("example.com/thing", "3", "3 example.com/thing"),
    ],
)
def test_people_read_units(resource: str, quantity: str, words: str) -> None:
    assert in_words(resource, exact(quantity)) == words


def test_tables_show_bare_figures() -> None:
    assert figure("memory", exact("11998344Ki")) == "11.4"
    assert figure("cpu", exact("1250m")) == "1.25"


def test_amounts_that_differ_look_different() -> None:
    assert compared("memory", exact("11998345Ki"), exact("11998344Ki")) == ("11.4425135 GiB", "11.4425125 GiB")
    assert compared("cpu", exact("2"), exact("1.9999")) == ("2 CPU", "1.9999 CPU")
