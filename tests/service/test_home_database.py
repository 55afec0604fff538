"""The database that a home names: used by the service wherever it is opened, in a schema of its own, and read from a private file alone."""

from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from trialflow.embedded.serving import prefect_settings
from trialflow.errors import TrialflowError
from trialflow.home import DATABASE, Home
from trialflow.service.serving import open_service


def home_with(folder: Path, url: str, mode: int = 0o600) -> Home:
    home = Home(folder / "home")
    home.make(home.root)
    (home.root / DATABASE).touch(mode)
    (home.root / DATABASE).chmod(mode)
    (home.root / DATABASE).write_text(f"{url}\n")
    return home


def test_the_service_keeps_its_tables_in_its_own_schema_and_finds_them_again(fresh_postgres: str, tmp_path: Path) -> None:
    home = home_with(tmp_path, fresh_postgres)
    for _ in range(2):
        open_service(home).close()
    assert not (home.service / "trialflow.db").exists()
    with psycopg.connect(fresh_postgres) as connection:
        schemas = {schema for (schema,) in connection.execute("SELECT schemaname FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'")}
        assert schemas == {"trialflow"}, "Prefect keeps its version in a table of the same name, in the database's own schema"
        (projects,) = connection.execute("SELECT count(*) FROM trialflow.projects").fetchone() or (0,)
    assert projects == 1


def test_prefects_server_gets_the_same_database(tmp_path: Path) -> None:
    home = home_with(tmp_path, "postgresql://me:p@db/state")
    assert prefect_settings(home, "http://127.0.0.1:4200")["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == "postgresql+asyncpg://me:p@db/state"
    assert not [name for name in prefect_settings(home, "http://127.0.0.1:4200") if "SEARCH_PATH" in name]
    (home.root / DATABASE).unlink()
    assert "PREFECT_SERVER_DATABASE_CONNECTION_URL" not in prefect_settings(home, "http://127.0.0.1:4200")


async def test_a_user_who_is_called_like_the_services_schema_does_not_lead_prefects_server_there(fresh_postgres: str, tmp_path: Path) -> None:
    from prefect.server.database.configurations import AsyncPostgresConfiguration

    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        connection.execute("CREATE ROLE trialflow LOGIN SUPERUSER")
    try:
        home = home_with(tmp_path, fresh_postgres.replace("tests@", "trialflow@"))
        open_service(home).close()
        settings = prefect_settings(home, "http://127.0.0.1:4200")
        path = settings["PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_SEARCH_PATH"]
        engine = await AsyncPostgresConfiguration(settings["PREFECT_SERVER_DATABASE_CONNECTION_URL"], search_path=path).engine()
        async with engine.connect() as connection:
            (found,) = (await connection.execute(text("SELECT to_regclass('alembic_version')"))).one()
        await engine.dispose()
        assert found is None, "Prefect's server would take the service's version for its own"
    finally:
        with psycopg.connect(fresh_postgres, autocommit=True) as connection:
            connection.execute("DROP OWNED BY trialflow CASCADE")
            connection.execute("DROP ROLE trialflow")


def test_a_database_that_does_not_answer_is_said_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(TrialflowError, match="could not be opened") as failed:
        open_service(home_with(tmp_path, "postgresql://me:hidden@127.0.0.1:1/state"))
    assert "hidden" not in f"{failed.value.message}{failed.value.hint}" and "right to create" in str(failed.value.hint)


def test_an_address_that_others_can_read_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrialflowError, match="other users can read the address of the database"):
        home_with(tmp_path, "postgresql://me:hidden@db/state", mode=0o644).database_url()
    with pytest.raises(TrialflowError, match="is empty"):
        home_with(tmp_path / "other", "").database_url()
