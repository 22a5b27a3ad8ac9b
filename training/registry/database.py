"""The registry's database: where it is, how it is opened, how its schema moves."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import alembic.command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session

import migrations
from training.registry.errors import RegistryError

_LOCK = 0xC07E
"""PostgreSQL's advisory lock that migrations hold."""

_BUSY_SECONDS = 10
"""How long one writer of a SQLite file waits for another."""


def registry_url(artifacts: Path) -> str:
    """`COVE_DATABASE_URL`, or a SQLite file beside the artifacts."""
    given = os.environ.get("COVE_DATABASE_URL")
    return given or f"sqlite:///{Path(artifacts).resolve() / 'registry.sqlite3'}"


def shown(url: str) -> str:
    """The address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "COVE_DATABASE_URL"


def open_registry(url: str) -> Engine:
    """An engine; SQLite in WAL mode, waiting up to 10 s for another writer, foreign keys held.

    Raises:
        RegistryError: the address is malformed, its driver or its folder is missing, or its
            file is no registry.
    """
    engine = _engine(url)
    if engine.dialect.name == "sqlite":
        _check_file(Path(str(engine.url.database)))
    return engine


def _engine(url: str) -> Engine:
    """The engine for a file that may be another program's: see `_check_file`."""
    address = _address(url)
    if address.get_backend_name() == "sqlite":
        _check_folder(Path(str(address.database)))
    try:
        engine = create_engine(address, pool_pre_ping=True, connect_args=_options(address))
    except ImportError as error:
        raise RegistryError(
            f"PostgreSQL needs the extra `postgres` (no module {error.name}): "
            "pip install 'cove-recommender[postgres]'"
        ) from None
    except SQLAlchemyError as error:
        raise RegistryError(f"the database address {shown(url)} cannot be used: {error}") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _options(address: URL) -> dict[str, str]:
    """UTF-8 between psycopg and a database of whatever encoding: of one in SQL_ASCII, the default
    where a server was made without a locale, it would give bytes for text."""
    return {"client_encoding": "utf8"} if address.drivername == "postgresql+psycopg" else {}


def insert_into(session: Session, table: type[Any]) -> sqlite.Insert | postgresql.Insert:
    """An insertion that can say what is done about a row that is there already: SQLite and
    PostgreSQL have that alike, SQL has not."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def for_writing(engine: Engine) -> Engine:
    """The engine for transactions that write.

    On SQLite they take the write lock at once: one that reads first and asks for the lock later
    is refused without a wait when another wrote in between.
    """
    return engine.execution_options(sqlite_begin="IMMEDIATE")


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise RegistryError(
            "the database address must be like sqlite:///FILE or postgresql://HOST/NAME; "
            "COVE_DATABASE_URL is not"
        ) from None
    backend = address.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise RegistryError(f"the registry runs on sqlite and postgresql: got {backend!r}")
    if backend == "postgresql":
        return _with_password(_with_driver(address))
    if address.database in {None, "", ":memory:"} or address.query:
        raise RegistryError(
            f"a SQLite registry needs a file and takes no options, sqlite:///FILE: got {shown(url)}"
        )
    return address


def _with_driver(address: URL) -> URL:
    """The address with psycopg, the driver of the extra `postgres`, unless it names another."""
    if address.drivername != "postgresql":
        return address
    return address.set(drivername="postgresql+psycopg")


def _with_password(address: URL) -> URL:
    """The address with the password that the file COVE_DATABASE_PASSWORD_FILE holds."""
    file = os.environ.get("COVE_DATABASE_PASSWORD_FILE")
    if not file:
        return address
    if address.password is not None:
        raise RegistryError(
            "give a password in COVE_DATABASE_URL or in COVE_DATABASE_PASSWORD_FILE, not in both"
        )
    try:
        password = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise RegistryError(f"COVE_DATABASE_PASSWORD_FILE: {file} cannot be read") from None
    if not password:
        raise RegistryError(f"COVE_DATABASE_PASSWORD_FILE: {file} holds no password")
    return address.set(password=password)


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise RegistryError(f"there is no folder {path.parent} for the registry {path.name}")


def _check_file(path: Path) -> None:
    """Refuse what is not ours before anything of it is changed."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {name for (name,) in rows}
    except sqlite3.Error as error:
        raise RegistryError(f"the registry {path} cannot be read: {error}") from None
    if tables and "alembic_version" not in tables:
        raise RegistryError(f"{path} is another program's database, not a registry")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says, not where sqlite3
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")


@contextmanager
def readable(url: str) -> Iterator[None]:
    """Turn a database's own errors into one sentence."""
    try:
        yield
    except SQLAlchemyError as error:
        reason = (str(getattr(error, "orig", None) or error).splitlines() or ["no reason given"])[0]
        if "no such table" in reason or "no such column" in reason or "does not exist" in reason:
            reason += " (`cove db upgrade` brings the schema up)"
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
def only_process(url: str) -> Iterator[None]:
    """Hold the lock of a database that migrations hold, too: others who want it wait."""
    with readable(url), _locked(url):
        yield


@contextmanager
def _locked(url: str) -> Iterator[Config]:
    engine = for_writing(_engine(url))
    configuration = Config()
    folder = Path(migrations.__file__).parent
    configuration.set_main_option("script_location", str(folder).replace("%", "%%"))
    hold = _hold_file if engine.dialect.name == "sqlite" else _hold_advisory
    try:
        with hold(engine) as connection:
            configuration.attributes["connection"] = connection
            yield configuration
    finally:
        engine.dispose()


@contextmanager
def _hold_file(engine: Engine) -> Iterator[Connection]:
    import fcntl  # noqa: PLC0415 - not on every system that PostgreSQL serves

    path = Path(f"{engine.url.database}.lock")
    try:
        lock = path.open("a")
    except OSError as error:
        raise RegistryError(f"cannot write {path}: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise RegistryError(f"cannot lock {path}: {error.strerror}") from None
        # Not before: another process may be at making the tables of this very file.
        _check_file(Path(str(engine.url.database)))
        with engine.connect() as connection:
            # Altering a table copies and drops it; with foreign keys held that would delete
            # what refers to it. The pragma does nothing once a transaction has begun.
            driver: Any = connection.connection.dbapi_connection
            driver.execute("PRAGMA foreign_keys = OFF")
            yield connection


@contextmanager
def _hold_advisory(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection, engine.connect() as holder:
        holder.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
        yield connection
