"""Migrations up and down give what the models say, once, whoever comes at the same time."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, MetaData, inspect, text

import migrations
from training.registry.database import downgrade, open_registry, upgrade
from training.registry.errors import RegistryError
from training.registry.models import Base
from training.registry.queries import Registry


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)


def columns_by_table(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Name, type, nullability and keys of every column, and the indexes."""
    found = MetaData()
    found.reflect(engine)
    return {
        name: [
            *((c.name, str(c.type), c.nullable, c.primary_key) for c in table.columns),
            *sorted((str(i.name), tuple(i.columns.keys())) for i in table.indexes),
            *sorted((k.parent.name, k.target_fullname, k.ondelete) for k in table.foreign_keys),
        ]
        for name, table in sorted(found.tables.items())
        if name != "alembic_version"
    }


def test_upgrading_gives_the_schema_of_the_models(url: str) -> None:
    upgrade(url)
    engine = open_registry(url)
    assert differences(engine) == []
    migrated = columns_by_table(engine)
    downgrade(url, "base")
    Base.metadata.create_all(engine)
    assert columns_by_table(engine) == migrated
    Base.metadata.drop_all(engine)
    engine.dispose()


def test_down_and_up_again_give_the_same_schema(url: str) -> None:
    upgrade(url)
    engine = open_registry(url)
    first = columns_by_table(engine)
    downgrade(url, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    upgrade(url)
    assert columns_by_table(engine) == first
    assert set(first) == {"runs", "metrics", "models", "activations", "code_labels", "claims"}
    engine.dispose()


def test_upgrading_again_keeps_what_is_there(url: str) -> None:
    upgrade(url)
    with Registry(url) as registry:
        run = registry.start_run(
            task="list_completion", recommender="fans", data_name="toy", seed=0, settings={},
            settings_hash="0", output="there",
        )  # fmt: skip
        upgrade(url)
        assert [each.id for each in registry.list_runs()] == [run]


def test_an_unknown_migration_gives_one_sentence(url: str) -> None:
    for move in (upgrade, downgrade):
        with pytest.raises(RegistryError, match=r"cannot be migrated: .*'9999'"):
            move(url, "9999")


def test_a_registry_of_a_newer_version_gives_one_sentence(url: str) -> None:
    upgrade(url)
    engine = open_registry(url)
    with engine.begin() as connection:
        head = connection.scalar(text("SELECT version_num FROM alembic_version"))
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RegistryError, match=r"cannot be migrated: .*'9999'"):
        upgrade(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": head})
    engine.dispose()


def test_a_migration_that_fails_leaves_nothing_behind(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        original = Path(migrations.__file__).parent / name
        (folder / name).write_text(original.read_text())
    (folder / "versions" / "0001_broken.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        "revision, down_revision = '0001', None\n"
        "def upgrade():\n"
        "    op.create_table('runs', sa.Column('id', sa.Integer(), primary_key=True))\n"
        "    op.execute('SELECT * FROM nothing')\n"
    )
    monkeypatch.setattr(migrations, "__file__", str(folder / "__init__.py"))
    with pytest.raises(RegistryError, match="nothing"):
        upgrade(url)
    engine = open_registry(url)
    assert "runs" not in inspect(engine).get_table_names()
    engine.dispose()


def test_several_processes_upgrading_at_once_all_succeed(url: str) -> None:
    code = (
        "import sys; from training.registry.database import upgrade; "
        "sys.stdin.readline(); upgrade(sys.argv[1])"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, url], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    engine = open_registry(url)
    assert differences(engine) == []
    engine.dispose()
