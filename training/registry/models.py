"""The registry's tables: runs, their metrics, models, which was active when, labels of codes."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

STATES = ("queued", "running", "finished", "failed")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite stores none of the zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back in UTC, zone and all."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """What all tables share."""


class Run(Base):
    """One training run, as it goes."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    task: Mapped[str] = mapped_column(String(64))
    recommender: Mapped[str] = mapped_column(String(64))
    data_name: Mapped[str] = mapped_column(Text)
    seed: Mapped[int]
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    settings_hash: Mapped[str] = mapped_column(String(64), index=True)
    output: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it failed, in one sentence."""
    epochs: Mapped[int] = mapped_column(default=0)
    """Epochs done."""
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int]
    process_started: Mapped[str] = mapped_column(String(32))
    """Tells the process from a later one with the same number."""
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    model_id: Mapped[str | None] = mapped_column(String(128))
    metrics: Mapped[dict[str, float] | None] = mapped_column(JSON)
    """Of the test split, once finished."""


class Metric(Base):
    """One value of one run after one epoch."""

    __tablename__ = "metrics"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[float] = mapped_column(Double)


class Model(Base):
    """One artifact."""

    __tablename__ = "models"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64))
    task: Mapped[str] = mapped_column(String(64), index=True)
    recommender: Mapped[str] = mapped_column(String(64))
    data_name: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    run_id: Mapped[str | None] = mapped_column(String(64))
    metrics: Mapped[dict[str, dict[str, float]]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Activation(Base):
    """A model became the active one of its task; the newest row of a task counts."""

    __tablename__ = "activations"
    __table_args__ = (Index("ix_activations_task_id", "task", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    task: Mapped[str] = mapped_column(String(64))
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    replaces: Mapped[int | None]
    """The activation that a rollback of this one returns to."""
    activated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Claim(Base):
    """A piece of work that one process has taken, so that no other does it too."""

    __tablename__ = "claims"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """A hash of everything that the work is determined by."""
    holder: Mapped[str] = mapped_column(String(32))
    """Names who took it, whatever its host and process number."""
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int]
    process_started: Mapped[str] = mapped_column(String(32))
    heartbeat_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CodeLabel(Base):
    """A person's name for a code of a model."""

    __tablename__ = "code_labels"

    model_id: Mapped[str] = mapped_column(
        ForeignKey("models.id", ondelete="CASCADE"), primary_key=True
    )
    entity: Mapped[str] = mapped_column(String(8), primary_key=True)
    """`item` or `user`."""
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    code: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    label: Mapped[str] = mapped_column(Text)
    """Empty once it is taken away: a row stays, so that `changes` only grows."""
    changes: Mapped[int] = mapped_column(default=1)
    """How often it was set; the sum over all rows tells whether any label has changed."""
