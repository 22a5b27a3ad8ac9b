"""Addresses, files that are no registry, and how a SQLite registry is opened."""

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from cove.errors import CoveError
from tests.postgres import PostgresServer
from training.registry.database import (
    downgrade,
    only_process,
    open_registry,
    registry_url,
    shown,
    upgrade,
)  # fmt: skip
from training.registry.errors import RegistryError
from training.registry.queries import Registry


def test_the_registry_lies_beside_the_artifacts_unless_the_environment_names_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COVE_DATABASE_URL", raising=False)
    assert registry_url(tmp_path) == f"sqlite:///{tmp_path.resolve()}/registry.sqlite3"
    monkeypatch.setenv("COVE_DATABASE_URL", "postgresql://host/name")
    assert registry_url(tmp_path) == "postgresql://host/name"


def test_sqlite_is_in_wal_mode_waits_ten_seconds_and_holds_foreign_keys(tmp_path: Path) -> None:
    engine = open_registry(f"sqlite:///{tmp_path}/r.sqlite3")
    with engine.connect() as connection:
        found = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "busy_timeout", "foreign_keys")
        }
    engine.dispose()
    assert found == {"journal_mode": "wal", "busy_timeout": 10_000, "foreign_keys": 1}


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "must be like sqlite:///FILE"),
        ("nonsense", "must be like sqlite:///FILE"),
        ("postgresql://user:secret@host:port/name", "must be like sqlite:///FILE"),
        ("mysql://user:secret@host/name", "runs on sqlite and postgresql: got 'mysql'"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:///there.sqlite3?timeout=1", "takes no options"),
        ("sqlite:////no/such/folder/r.sqlite3", "there is no folder /no/such/folder"),
        ("postgresql+nodriver://user:secret@host/name", "cannot be used"),
    ],
)
def test_an_address_that_cannot_be_used_gives_one_sentence_without_the_password(
    url: str, sentence: str
) -> None:
    with pytest.raises(RegistryError, match=sentence) as raised:
        upgrade(url)
    assert isinstance(raised.value, CoveError)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "secret" not in shown(url)


def test_the_password_comes_from_a_file_and_the_driver_is_psycopg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("se:cr@et\n")
    monkeypatch.setenv("COVE_DATABASE_PASSWORD_FILE", str(tmp_path / "password"))
    engine = open_registry("postgresql://cove@host/name")
    assert engine.url.password == "se:cr@et"
    assert engine.dialect.driver == "psycopg"
    assert open_registry(f"sqlite:///{tmp_path}/r.sqlite3").url.password is None


@pytest.mark.parametrize(
    ("content", "url", "sentence"),
    [
        ("secret", "postgresql://cove:other@host/name", "not in both"),
        ("\n", "postgresql://cove@host/name", "holds no password"),
        (None, "postgresql://cove@host/name", "cannot be read"),
    ],
)
def test_a_password_file_that_cannot_be_used_gives_one_sentence(
    content: str | None, url: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "password").write_text(content)
    monkeypatch.setenv("COVE_DATABASE_PASSWORD_FILE", str(tmp_path / "password"))
    with pytest.raises(RegistryError, match=f"COVE_DATABASE_PASSWORD_FILE.*{sentence}") as raised:
        open_registry(url)
    assert "other" not in str(raised.value)


def test_a_postgresql_that_is_gone_gives_one_sentence_and_is_found_when_it_is_back(
    postgres: PostgresServer,
) -> None:
    upgrade(postgres.url)
    with Registry(postgres.url) as registry:
        assert registry.list_runs() == []
        postgres.stop()
        with pytest.raises(RegistryError, match="cannot be used: connection"):
            registry.list_runs()
        postgres.start()
        assert registry.list_runs() == []
    downgrade(postgres.url, "base")


def test_a_database_without_an_encoding_holds_every_name(postgres: PostgresServer) -> None:
    engine = open_registry(postgres.url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS ascii"))
        options = "TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
        connection.execute(text(f"CREATE DATABASE ascii {options}"))
    engine.dispose()
    url = postgres.url.replace("@/postgres?", "@/ascii?")
    upgrade(url)
    with Registry(url) as registry:
        facts = {"task": "t", "recommender": "fans", "seed": 0, "settings": {}, "output": "o"}
        run = registry.start_run(**facts, data_name="Söhne", settings_hash="0")
        assert [(each.id, each.data_name) for each in registry.list_runs()] == [(run, "Söhne")]


def test_the_module_migrates_the_registry_that_the_environment_names(tmp_path: Path) -> None:
    def migrate(**environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "training.registry"],
            env=os.environ | environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = migrate(COVE_ARTIFACTS=str(tmp_path), COVE_DATABASE_URL="")
    assert (done.returncode, done.stderr) == (0, "")
    with Registry(f"sqlite:///{tmp_path}/registry.sqlite3") as registry:
        assert registry.list_runs() == []
    refused = migrate(COVE_DATABASE_URL="mysql://user:secret@host/name")
    assert refused.returncode == 2
    assert refused.stderr == "cove: the registry runs on sqlite and postgresql: got 'mysql'\n"


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"not a database " * 100)
    before = path.read_bytes()
    with pytest.raises(RegistryError, match=r"notes\.txt cannot be read: file is not a database"):
        upgrade(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "photos.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
        connection.commit()
    before = path.read_bytes()
    for use in (upgrade, Registry):
        with pytest.raises(RegistryError, match="another program's database"):
            use(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_file_whose_tables_another_process_makes_is_judged_when_that_one_is_done(
    tmp_path: Path,
) -> None:
    path = tmp_path / "r.sqlite3"
    url = f"sqlite:///{path}"
    entered = []

    def enter() -> None:
        with only_process(url):
            entered.append(True)

    second = threading.Thread(target=enter)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with only_process(url):
            connection.execute("CREATE TABLE studies (name TEXT)")
            second.start()
            second.join(timeout=0.5)
            assert second.is_alive()  # waits, though this is no registry yet
            connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        second.join(timeout=60)
    assert entered == [True]


def test_a_truncated_registry_gives_one_sentence(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/r.sqlite3"
    upgrade(url)
    path = tmp_path / "r.sqlite3"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(RegistryError, match="malformed"):
        upgrade(url)


def test_a_folder_in_the_registrys_place_gives_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "r.sqlite3").mkdir()
    with pytest.raises(RegistryError, match=r"r\.sqlite3 cannot be read: unable to open"):
        upgrade(f"sqlite:///{tmp_path}/r.sqlite3")


def test_a_registry_without_its_schema_says_how_to_bring_it_up(url: str) -> None:
    with (
        Registry(url) as registry,
        pytest.raises(RegistryError, match=r"`cove db upgrade` brings the schema up"),
    ):
        registry.list_runs()
