"""The address of a database as the user writes it, and as each driver takes it."""

import pytest

from trialflow.errors import InvalidInput
from trialflow.postgres import for_prefect, for_service

ADDRESS = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
WHERE = "me:p%40ss@db.example.com:5433/trialflow"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg"])
def test_each_driver_gets_its_own_form_and_the_service_a_schema_of_its_own(scheme: str) -> None:
    assert for_prefect(f"{scheme}://{WHERE}\n")[ADDRESS] == f"postgresql+asyncpg://{WHERE}"
    assert for_service(f"{scheme}://{WHERE}") == f"postgresql+psycopg://{WHERE}?options=-csearch_path%3Dtrialflow"


def test_the_mode_of_tls_reaches_both_drivers_under_their_names() -> None:
    assert for_prefect(f"postgresql://{WHERE}?sslmode=require")[ADDRESS].endswith("/trialflow?ssl=require")
    assert for_service(f"postgresql://{WHERE}?sslmode=require").endswith("&sslmode=require")


def test_a_database_of_this_machine_may_be_reached_by_the_folder_of_its_socket() -> None:
    assert for_prefect("postgresql://me@/trialflow?host=/run/pg")[ADDRESS] == "postgresql+asyncpg://me@/trialflow?host=%2Frun%2Fpg"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://me:hidden@db/x", "mysql"),
        ("db.example.com", "nothing"),
        ("postgresql:///x", "no host"),
        ("postgresql://me:hidden@db", "no database"),
        ("postgresql://me:hidden@db/x?sslmode=verify-full", "verify-full"),
        ("postgresql://me:hidden@db/x?sslrootcert=/a", "sslrootcert"),
        ("postgresql://me:hidden@db:port/x", "cannot be read"),
        ("postgresql://me:hidden@[db/x", "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_password(url: str, words: str) -> None:
    for form in (for_prefect, for_service):
        with pytest.raises(InvalidInput, match=words) as refused:
            form(url)
        assert "hidden" not in f"{refused.value.message}{refused.value.hint}"
