"""Tables of a database that Ibis speaks to: PostgreSQL, Trino, BigQuery and others, by their URL."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from core.drift.engines.table import EngineTable
from core.errors import BadInput, NotFound, Unavailable
from core.postgres import patient

if TYPE_CHECKING:
    from ibis.backends import BaseBackend

INSTALL = "Run `pip install -r requirements-ibis.txt`."


def open_ibis(name: str, url: str | None) -> EngineTable:
    """The table ``name`` (also ``schema.table``) of the database at ``url``.

    A password is better left to the driver (PGPASSWORD or ~/.pgpass for PostgreSQL); none is ever told in an error.
    Raises BadInput without Ibis or a usable URL, Unavailable when the database does not answer, NotFound for the table.
    """
    if not url or "://" not in url:
        raise BadInput(
            "The engine 'ibis' needs the database's URL.",
            "Name it: postgresql://HOST/DATABASE (--connect, or connect in [[monitors]]).",
        )
    try:
        import ibis
        from ibis.common.exceptions import IbisError
    except ImportError as error:
        raise BadInput("The engine 'ibis' needs Ibis, which is not installed.", INSTALL) from error
    errors = (IbisError, *_driver_errors(urlsplit(url).scheme))
    backend = _backend(url)
    schema, _, table = name.rpartition(".")
    try:
        native = backend.table(table, database=schema or None)
    except ibis.common.exceptions.TableNotFound as error:
        raise NotFound(
            f"The database at {masked(url)} has no table '{name}'.", "Check name and schema."
        ) from error
    except errors as error:
        raise Unavailable(
            f"The database at {masked(url)} failed ({type(error).__name__}).", "Try again."
        ) from error
    return EngineTable(native, backend.name, errors)


def masked(url: str) -> str:
    """The URL without user, password and options: scheme, host and database."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _driver_errors(scheme: str) -> tuple[type[Exception], ...]:
    """What the database's own driver raises; Ibis passes it on."""
    if scheme.startswith("postgres"):
        import psycopg

        return (psycopg.Error,)
    return (OSError, RuntimeError)


@cache
def _backend(url: str) -> BaseBackend:
    import ibis
    from ibis.common.exceptions import IbisError

    try:
        backend = ibis.connect(patient(url))
        if backend.name == "postgres":
            with backend.begin() as cursor:
                # One question is about all columns; to compile it takes up to ten times as long as to answer it.
                cursor.execute("SET jit = off")
        return backend
    except (
        IbisError,
        ImportError,
        ValueError,
        OSError,
        RuntimeError,
        *_driver_errors(urlsplit(url).scheme),
    ) as error:
        # What a driver says may repeat the URL, so only its kind is told.
        raise Unavailable(
            f"The database at {masked(url)} did not answer ({type(error).__name__}).",
            "Check the URL, and that Ibis' driver for it is installed.",
        ) from None
