"""Addresses of a PostgreSQL database, as each of the servers wants it. Pure; no message has the password."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from trialflow.errors import InvalidInput

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg")
SSL_MODES = ("disable", "allow", "prefer", "require")
SCHEMA = "trialflow"
"""The schema of the service's tables. Prefect's are in the database's own: both keep their version in a table of the same name."""
HINT = "expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with ?sslmode=require if need be; special characters in %XX form"


def for_service(url: str) -> str:
    """As the service's driver takes it. Raises `InvalidInput`."""
    where, options = _parsed(url)
    return f"postgresql+psycopg://{where}?{urlencode({'options': f'-csearch_path={SCHEMA}', **options})}"


def for_prefect(url: str) -> Mapping[str, str]:
    """As settings of Prefect's server. Raises `InvalidInput`."""
    where, options = _parsed(url)
    named = urlencode({"ssl" if name == "sslmode" else name: value for name, value in options.items()})
    settings = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{where}" + (f"?{named}" if named else "")}
    # PostgreSQL looks for tables first in the schema that is named as the user, which may be that of the service.
    if urlsplit(url.strip()).username in (SCHEMA, None):
        settings["PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_SEARCH_PATH"] = "public"
    return settings


def _parsed(url: str) -> tuple[str, dict[str, str]]:
    """`user:password@host:port/database`, and the options: the mode of TLS, and the folder of a socket."""
    try:
        parts = urlsplit(url.strip())
        port, options = parts.port, dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        raise InvalidInput("the address of the database cannot be read", hint=HINT) from None
    if parts.scheme not in SCHEMES:
        raise InvalidInput(f"the address of the database begins with {parts.scheme or 'nothing'}://", hint=HINT)
    has_host = parts.hostname or options.get("host", "").startswith("/")
    if not has_host or not parts.path.strip("/") or "/" in parts.path[1:] or port == 0:
        raise InvalidInput("the address of the database names no host, or no database", hint=HINT)
    if unknown := sorted(set(options) - {"sslmode", "host"}):
        raise InvalidInput(f"the address of the database has the option {unknown[0]}; only sslmode is supported", hint=HINT)
    if (ssl := options.get("sslmode")) is not None and ssl not in SSL_MODES:
        raise InvalidInput(f"sslmode={ssl} is not supported for the database", hint=f"expected one of {', '.join(SSL_MODES)}")
    return f"{parts.netloc}{parts.path}", options
