"""The registry's database: where it is, how it is opened, how its schema moves."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import alembic.command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

import migrations
from training.registry.errors import RegistryError

_LOCK = 0xC07E
"""PostgreSQL's advisory lock that migrations hold."""


def registry_url(artifacts: Path) -> str:
    """`COVE_DATABASE_URL`, or a SQLite file beside the artifacts."""
    given = os.environ.get("COVE_DATABASE_URL")
    return given or f"sqlite:///{Path(artifacts).resolve() / 'registry.sqlite3'}"


def shown(url: str) -> str:
    """The address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "COVE_DATABASE_URL"


def open_registry(url: str) -> Engine:
    """An engine; SQLite in WAL mode, waiting up to 10 s for another writer, foreign keys held.

    Raises:
        RegistryError: the address is malformed, its driver or its folder missing.
    """
    try:
        address = make_url(url)
        engine = create_engine(url, pool_pre_ping=True)
    except (ArgumentError, ImportError) as error:
        raise RegistryError(f"the database address {shown(url)} cannot be used: {error}") from None
    if address.get_backend_name() == "sqlite":
        if address.database and not Path(address.database).parent.is_dir():
            raise RegistryError(f"there is no folder {Path(address.database).parent}")
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 10000")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


@contextmanager
def readable(url: str) -> Iterator[None]:
    """Turn a database's own errors into one sentence."""
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise RegistryError(f"the registry {shown(url)} cannot be used: {reason}") from None
    except CommandError as error:
        raise RegistryError(f"the registry {shown(url)} cannot be migrated: {error}") from None


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the schema up; of several processes one does it and the others wait."""
    with readable(url), _locked(url) as configuration:
        alembic.command.upgrade(configuration, revision)


def downgrade(url: str, revision: str) -> None:
    """Take the schema down to a revision; `base` empties it."""
    with readable(url), _locked(url) as configuration:
        alembic.command.downgrade(configuration, revision)


@contextmanager
def _locked(url: str) -> Iterator[Config]:
    engine = open_registry(url)
    configuration = Config()
    folder = Path(migrations.__file__).parent
    configuration.set_main_option("script_location", str(folder).replace("%", "%%"))
    try:
        with engine.connect() as connection, _held(engine, connection):
            configuration.attributes["connection"] = connection
            yield configuration
    finally:
        engine.dispose()


@contextmanager
def _held(engine: Engine, connection: Any) -> Iterator[None]:
    if engine.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
        connection.commit()
        try:
            yield
        finally:
            connection.execute(text(f"SELECT pg_advisory_unlock({_LOCK})"))
            connection.commit()
    elif engine.url.database:
        import fcntl  # noqa: PLC0415 - not on every system that PostgreSQL serves

        try:
            lock = Path(engine.url.database + ".lock").open("a")  # noqa: SIM115
        except OSError as error:
            raise RegistryError(f"cannot write beside {engine.url.database}: {error}") from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    else:
        yield
