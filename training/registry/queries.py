"""What the command line and the server ask of the registry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from training.registry.artifacts import artifacts_in, finite, holds, model_row
from training.registry.database import for_writing, insert_into, open_registry, readable
from training.registry.errors import NoModelError
from training.registry.labels import put_label
from training.registry.lookups import by_prefix, current_activation, known_model, known_run
from training.registry.models import Activation, CodeLabel, Metric, Model, Run
from training.registry.processes import Process, is_gone, this_process

if TYPE_CHECKING:
    from cove.artifact import Manifest

_SILENT_AFTER = timedelta(minutes=10)
"""A run elsewhere whose heartbeat is older is taken for dead."""

_DIED = "the process died"
_SILENT = "no sign of life for 10 minutes"


class Registry:
    """The registry at an address whose schema `upgrade` has brought up."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = open_registry(url)
        self._reading = sessionmaker(self._engine, expire_on_commit=False)
        self._writing = sessionmaker(for_writing(self._engine), expire_on_commit=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def _session(self, write: bool = False) -> Iterator[Session]:
        sessions = self._writing if write else self._reading
        with readable(self.url), sessions.begin() as session:
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
        now, process = datetime.now(UTC), this_process()
        with self._session(write=True) as session:
            run = session.get(Run, run_id) if run_id else None
            if run is None:
                run = Run(id=run_id or uuid4().hex, started_at=now, epochs=0)
                session.add(run)
            run.task, run.recommender, run.data_name, run.seed = task, recommender, data_name, seed
            run.settings, run.settings_hash, run.output = settings, settings_hash, output
            run.state, run.reason, run.finished_at, run.heartbeat_at = "running", None, None, now
            run.host, run.pid, run.process_started = process.host, process.pid, process.started
            return run.id

    def heartbeat(self, run_id: str) -> None:
        """Record that a run is alive."""
        with self._session(write=True) as session:
            _beat(known_run(session, run_id))

    def record_metrics(self, run_id: str, epoch: int, values: dict[str, float]) -> None:
        """Record values of an epoch in place of earlier ones; those of later epochs go.

        A resumed run does its last epochs again. Values that are not finite are left out.
        """
        rerun = or_(Metric.epoch > epoch, (Metric.epoch == epoch) & Metric.name.in_(list(values)))
        with self._session(write=True) as session:
            run = known_run(session, run_id)
            session.execute(delete(Metric).where(Metric.run_id == run_id, rerun))
            session.add_all(
                Metric(run_id=run_id, epoch=epoch, name=name, value=value)
                for name, value in finite(values).items()
            )
            run.epochs = epoch
            _beat(run)

    def finish_run(self, run_id: str, model_id: str, metrics: dict[str, float]) -> None:
        """Record that a run ended well, with which model and test metrics."""
        with self._session(write=True) as session:
            run = known_run(session, run_id)
            run.state, run.reason = "finished", None
            run.model_id, run.metrics = model_id, finite(metrics)
            run.finished_at = run.finished_at or datetime.now(UTC)

    def fail_run(self, run_id: str, reason: str) -> None:
        """Record that a run failed, and why."""
        with self._session(write=True) as session:
            run = known_run(session, run_id)
            run.state, run.reason, run.finished_at = "failed", reason, datetime.now(UTC)

    def mark_dead_runs(self) -> list[str]:
        """Show runs whose process is gone as failed; their ids."""
        with self._session() as session:
            running = list(session.scalars(select(Run).where(Run.state == "running")))
        dead = [(run, reason) for run in running if (reason := _cause_of_death(run))]
        return [run.id for run, reason in dead if self._mark_dead(run, reason)]

    def _mark_dead(self, seen: Run, reason: str) -> bool:
        """Mark one run, unless it has gone on, ended or been resumed since it was `seen`."""
        unchanged = (
            Run.id == seen.id,
            Run.state == "running",
            Run.heartbeat_at == seen.heartbeat_at,
            Run.pid == seen.pid,
            Run.process_started == seen.process_started,
        )
        change = update(Run).where(*unchanged).returning(Run.id)
        failed = change.values(state="failed", reason=reason, finished_at=datetime.now(UTC))
        with self._session(write=True) as session:
            return session.scalars(failed).first() is not None

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
        """The run of an id, or of the unique start of one.

        Raises:
            AmbiguousIdError: several ids start so.
        """
        with self._session() as session:
            return by_prefix(session, Run, run_id)

    def model_of_settings(self, settings_hash: str) -> Model | None:
        """The newest model of just these settings and data, whichever run made it."""
        query = select(Model).join(Run, Run.model_id == Model.id).where(Run.state == "finished")
        query = query.where(Run.settings_hash == settings_hash).order_by(Model.created_at.desc())
        with self._session() as session:
            return session.scalars(query.limit(1)).first()

    def run_metrics(self, run_id: str) -> list[Metric]:
        """What a run recorded, by epoch and name."""
        query = select(Metric).where(Metric.run_id == run_id).order_by(Metric.epoch, Metric.name)
        with self._session() as session:
            return list(session.scalars(query))

    def add_model(self, manifest: Manifest, path: Path) -> None:
        """Register an artifact; one that is known is only found at its new place."""
        values = model_row(manifest, path)
        with self._session(write=True) as session:
            new = insert_into(session, Model).values(values)
            session.execute(new.on_conflict_do_update(index_elements=[Model.id], set_=values))

    def list_models(self) -> list[Model]:
        """Models, newest first."""
        with self._session() as session:
            return list(session.scalars(select(Model).order_by(Model.created_at.desc(), Model.id)))

    def get_model(self, model_id: str) -> Model | None:
        """The model of an id, or of the unique start of one.

        Raises:
            AmbiguousIdError: several ids start so.
        """
        with self._session() as session:
            return by_prefix(session, Model, model_id)

    def activate(self, model_id: str) -> Model:
        """Make a model its task's active one.

        Raises:
            RegistryError: no model has that id, or several have that start of one.
        """
        with self._session(write=True) as session:
            model = known_model(session, model_id)
            current = current_activation(session, model.task)
            if current is None or current.model_id != model.id:
                session.add(_activation(model, None if current is None else current.id))
            return model

    def rollback(self, task: str) -> Model:
        """Return to the model that was active before the active one.

        Raises:
            NoModelError: there is none.
        """
        with self._session(write=True) as session:
            current = current_activation(session, task)
            if current is None:
                raise NoModelError(f"no model has been active for the task {task!r} yet")
            before = session.get(Activation, current.replaces) if current.replaces else None
            model = session.get(Model, before.model_id) if before else None
            if before is None or model is None:
                raise NoModelError(
                    f"no model was active before {current.model_id} for the task {task!r}"
                )
            session.add(_activation(model, before.replaces))
            return model

    def models_before(self, task: str) -> list[Model]:
        """What rollbacks of a task would return to, one after the other."""
        found = []
        with self._session() as session:
            place = current_activation(session, task)
            while place is not None and place.replaces is not None:
                place = session.get(Activation, place.replaces)
                model = session.get(Model, place.model_id) if place else None
                if model is not None:
                    found.append(model)
        return found

    def active_model(self, task: str) -> Model | None:
        """A task's active model, if it has one."""
        with self._session() as session:
            current = current_activation(session, task)
            return None if current is None else session.get(Model, current.model_id)

    def put_label(self, model_id: str, entity: str, level: int, code: int, label: str) -> None:
        """Set a person's name for a code; an empty one takes it away.

        Raises:
            RegistryError: there is no such model.
        """
        with self._session(write=True) as session:
            put_label(session, (known_model(session, model_id).id, entity, level, code), label)

    def label_changes(self) -> int:
        """How often labels were set so far: it grows with every change."""
        with self._session() as session:
            return session.scalar(select(func.sum(CodeLabel.changes))) or 0

    def list_labels(self) -> list[CodeLabel]:
        """The labels of all models' codes."""
        with self._session() as session:
            return list(session.scalars(select(CodeLabel).where(CodeLabel.label != "")))

    def sync_artifacts(self, directory: Path) -> list[Model]:
        """Register every artifact in a folder (and the folder, if it is one); all models.

        What cannot be read is passed over: the server says why when somebody asks for it.
        """
        directory = Path(directory)
        places = {model.id: model.path for model in self.list_models()}
        for path, manifest in artifacts_in(directory):
            known = places.get(manifest.id)
            if known is None or (known != str(path.resolve()) and not holds(known, manifest.id)):
                self.add_model(manifest, path)
                places[manifest.id] = str(path.resolve())
        return self.list_models()


def _cause_of_death(run: Run) -> str | None:
    gone = is_gone(Process(run.host, run.pid, run.process_started))
    if gone is None:
        return _SILENT if datetime.now(UTC) - run.heartbeat_at > _SILENT_AFTER else None
    return _DIED if gone else None


def _beat(run: Run) -> None:
    """A run that was only silent runs again."""
    run.heartbeat_at = datetime.now(UTC)
    if run.state == "failed" and run.reason == _SILENT:
        run.state, run.reason, run.finished_at = "running", None, None


def _activation(model: Model, replaces: int | None) -> Activation:
    return Activation(
        task=model.task, model_id=model.id, replaces=replaces, activated_at=datetime.now(UTC)
    )
