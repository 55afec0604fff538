"""Addresses of a PostgreSQL database, as each of the servers wants it. Pure; no message has the password."""

from urllib.parse import parse_qsl, urlsplit

from trialflow.errors import InvalidInput

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg")
SSL_MODES = ("disable", "allow", "prefer", "require")
SCHEMA = "trialflow"
"""The schema of the service's tables. Prefect's are in the database's own: both keep their version in a table of the same name."""
HINT = "expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with ?sslmode=require if need be; special characters in %XX form"


def for_service(url: str) -> str:
    """As the service's driver takes it. Raises `InvalidInput`."""
    where, ssl = _parsed(url)
    return f"postgresql+psycopg://{where}?options=-csearch_path%3D{SCHEMA}" + (f"&sslmode={ssl}" if ssl else "")


def for_prefect(url: str) -> str:
    """As Prefect's driver takes it. Raises `InvalidInput`."""
    where, ssl = _parsed(url)
    return f"postgresql+asyncpg://{where}" + (f"?ssl={ssl}" if ssl else "")


def _parsed(url: str) -> tuple[str, str | None]:
    """`user:password@host:port/database`, and the mode of TLS."""
    try:
        parts = urlsplit(url.strip())
        port, options = parts.port, dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        raise InvalidInput("the address of the database cannot be read", hint=HINT) from None
    if parts.scheme not in SCHEMES:
        raise InvalidInput(f"the address of the database begins with {parts.scheme or 'nothing'}://", hint=HINT)
    if not parts.hostname or not parts.path.strip("/") or "/" in parts.path[1:] or port == 0:
        raise InvalidInput("the address of the database names no host, or no database", hint=HINT)
    if unknown := sorted(set(options) - {"sslmode"}):
        raise InvalidInput(f"the address of the database has the option {unknown[0]}; only sslmode is supported", hint=HINT)
    if (ssl := options.get("sslmode")) is not None and ssl not in SSL_MODES:
        raise InvalidInput(f"sslmode={ssl} is not supported for the database", hint=f"expected one of {', '.join(SSL_MODES)}")
    return f"{parts.netloc}{parts.path}", ssl
