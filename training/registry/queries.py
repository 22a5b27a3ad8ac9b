"""What the command line and the server ask of the registry."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, sessionmaker

from cove.artifact import MANIFEST, Manifest, read_manifest
from cove.errors import ArtifactError
from training.registry.database import open_registry, readable
from training.registry.errors import RegistryError
from training.registry.models import Activation, Metric, Model, Run

Row = TypeVar("Row", Run, Model)

_SILENT_AFTER = timedelta(minutes=10)
"""A run on another host whose heartbeat is older is taken for dead."""


class Registry:
    """The registry at an address whose schema `upgrade` has brought up."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = open_registry(url)
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with readable(self.url), self._sessions.begin() as session:
            yield session

    def start_run(
        self,
        *,
        task: str,
        recommender: str,
        data_name: str,
        seed: int,
        settings: dict[str, Any],
        settings_hash: str,
        output: str,
        run_id: str | None = None,
    ) -> str:
        """Record that this process trains; with the id of an earlier run, that it goes on."""
        now = datetime.now(UTC)
        with self._session() as session:
            run = session.get(Run, run_id) if run_id else None
            if run is None:
                run = Run(id=run_id or uuid4().hex, started_at=now, epochs=0)
                session.add(run)
            run.task, run.recommender, run.data_name, run.seed = task, recommender, data_name, seed
            run.settings, run.settings_hash, run.output = settings, settings_hash, output
            run.state, run.reason, run.finished_at, run.heartbeat_at = "running", None, None, now
            run.host, run.pid = socket.gethostname(), os.getpid()
            run.process_started = _process_started(run.pid) or ""
            return run.id

    def heartbeat(self, run_id: str) -> None:
        """Record that a run is alive."""
        with self._session() as session:
            _known_run(session, run_id).heartbeat_at = datetime.now(UTC)

    def record_metrics(self, run_id: str, epoch: int, values: dict[str, float]) -> None:
        """Record an epoch's values, in place of what that epoch or a later one left before."""
        with self._session() as session:
            run = _known_run(session, run_id)
            session.execute(delete(Metric).where(Metric.run_id == run_id, Metric.epoch >= epoch))
            session.add_all(
                Metric(run_id=run_id, epoch=epoch, name=name, value=value)
                for name, value in values.items()
            )
            run.epochs, run.heartbeat_at = epoch, datetime.now(UTC)

    def finish_run(self, run_id: str, model_id: str, metrics: dict[str, float]) -> None:
        """Record that a run ended well, with which model and test metrics."""
        with self._session() as session:
            run = _known_run(session, run_id)
            run.state, run.reason, run.model_id, run.metrics = "finished", None, model_id, metrics
            run.finished_at = run.finished_at or datetime.now(UTC)

    def fail_run(self, run_id: str, reason: str) -> None:
        """Record that a run failed, and why."""
        with self._session() as session:
            _fail(_known_run(session, run_id), reason)

    def mark_dead_runs(self) -> list[str]:
        """Show runs whose process is gone as failed; their ids."""
        host, now, dead = socket.gethostname(), datetime.now(UTC), []
        with self._session() as session:
            for run in session.scalars(select(Run).where(Run.state == "running")):
                here = run.host == host
                if here and (_process_started(run.pid) or "gone") == run.process_started:
                    continue
                if not here and now - run.heartbeat_at < _SILENT_AFTER:
                    continue
                _fail(run, "the process died" if here else "no sign of life for 10 minutes")
                dead.append(run.id)
        return dead

    def list_runs(
        self, task: str | None = None, state: str | None = None, limit: int = 50, offset: int = 0
    ) -> list[Run]:
        """Runs, newest first."""
        query = select(Run).order_by(Run.started_at.desc(), Run.id).limit(limit).offset(offset)
        if task:
            query = query.where(Run.task == task)
        if state:
            query = query.where(Run.state == state)
        with self._session() as session:
            return list(session.scalars(query))

    def get_run(self, run_id: str) -> Run | None:
        """The run of an id, or of the unique start of one."""
        with self._session() as session:
            return _by_prefix(session, Run, run_id)

    def run_metrics(self, run_id: str) -> list[Metric]:
        """What a run recorded, by epoch and name."""
        query = select(Metric).where(Metric.run_id == run_id).order_by(Metric.epoch, Metric.name)
        with self._session() as session:
            return list(session.scalars(query))

    def add_model(self, manifest: Manifest, path: Path) -> None:
        """Register an artifact; one that is known is only found at its new place."""
        with self._session() as session:
            session.merge(
                Model(
                    id=manifest.id,
                    hash=manifest.hash,
                    task=manifest.task,
                    recommender=manifest.recommender,
                    data_name=manifest.data_name,
                    path=str(Path(path).resolve()),
                    run_id=manifest.run_id,
                    metrics=manifest.metrics,
                    created_at=_moment(manifest.created_at),
                )
            )

    def list_models(self) -> list[Model]:
        """Models, newest first."""
        with self._session() as session:
            return list(session.scalars(select(Model).order_by(Model.created_at.desc(), Model.id)))

    def get_model(self, model_id: str) -> Model | None:
        """The model of an id, or of the unique start of one."""
        with self._session() as session:
            return _by_prefix(session, Model, model_id)

    def activate(self, model_id: str) -> Model:
        """Make a model its task's active one.

        Raises:
            RegistryError: there is no such model.
        """
        with self._session() as session:
            model = _by_prefix(session, Model, model_id)
            if model is None:
                known = list(session.scalars(select(Model.id)))
                close = get_close_matches(model_id, known, n=3, cutoff=0.3)
                hint = f"; close to it: {', '.join(close)}" if close else ""
                raise RegistryError(f"there is no model {model_id!r}{hint}")
            current = _current(session, model.task)
            if current is None or current.model_id != model.id:
                session.add(_activation(model, None if current is None else current.id))
            return model

    def rollback(self, task: str) -> Model:
        """Return to the model that was active before the active one.

        Raises:
            RegistryError: there is none.
        """
        with self._session() as session:
            current = _current(session, task)
            before = session.get(Activation, current.replaces) if current else None
            model = session.get(Model, before.model_id) if before else None
            if before is None or model is None:
                raise RegistryError(f"no model was active before for the task {task}")
            session.add(_activation(model, before.replaces))
            return model

    def active_model(self, task: str) -> Model | None:
        """A task's active model, if it has one."""
        with self._session() as session:
            current = _current(session, task)
            return None if current is None else session.get(Model, current.model_id)

    def sync_artifacts(self, directory: Path) -> list[Model]:
        """Register every artifact in a folder (and the folder, if it is one); all models."""
        directory = Path(directory)
        for path in [directory, *sorted(directory.glob("[!.]*"))]:
            if not (path / MANIFEST).is_file():
                continue
            try:
                self.add_model(read_manifest(path), path)
            except ArtifactError:
                continue  # the server says why when somebody asks for it
        return self.list_models()


def _process_started(pid: int) -> str | None:
    """When a process began, in clock ticks since boot; None where there is no such process."""
    try:
        content = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        try:
            os.kill(pid, 0)
        except OSError:
            return None
        return ""
    fields = content[content.rindex(")") + 2 :].split()
    return None if fields[0] == "Z" else fields[19]


def _fail(run: Run, reason: str) -> None:
    run.state, run.reason, run.finished_at = "failed", reason, datetime.now(UTC)


def _known_run(session: Session, run_id: str) -> Run:
    run = session.get(Run, run_id)
    if run is None:
        raise RegistryError(f"there is no run {run_id!r}")
    return run


def _by_prefix(session: Session, kind: type[Row], start: str) -> Row | None:
    exact = session.get(kind, start)
    if exact is not None or not start:
        return exact
    found = list(
        session.scalars(select(kind).where(kind.id.startswith(start, autoescape=True)).limit(2))
    )
    return found[0] if len(found) == 1 else None


def _current(session: Session, task: str) -> Activation | None:
    query = select(Activation).where(Activation.task == task).order_by(Activation.id.desc())
    return session.scalars(query.limit(1)).first()


def _activation(model: Model, replaces: int | None) -> Activation:
    return Activation(
        task=model.task, model_id=model.id, replaces=replaces, activated_at=datetime.now(UTC)
    )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
