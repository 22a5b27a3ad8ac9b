"""Work shared out among processes that share a registry: each piece is one process's at a time.

A claim is a row that its holder renews every 15 seconds. One that was not renewed for 2 minutes, or
whose process has ended on this very machine, is anybody's again.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Self
from uuid import uuid4

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from training.registry.database import for_writing, insert_into, open_registry, readable
from training.registry.models import Claim
from training.registry.processes import Process, is_gone, this_process

BEAT_SECONDS = 15.0
SILENT_AFTER = timedelta(minutes=2)
"""A holder elsewhere that has not been heard of for so long is taken for dead."""


class Claims:
    """What this process has claimed, in the registry at an address; renewed while it is entered."""

    def __init__(
        self, url: str, beat_seconds: float = BEAT_SECONDS, silent_after: timedelta = SILENT_AFTER
    ) -> None:
        self.url, self.beat_seconds, self.silent_after = url, beat_seconds, silent_after
        self.holder = uuid4().hex
        self._engine = open_registry(url)
        self._sessions = sessionmaker(for_writing(self._engine))
        self._stopped = threading.Event()
        self._beats = threading.Thread(target=self._keep_beating, daemon=True)

    def __enter__(self) -> Self:
        self._beats.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of everything that is still held."""
        self._stopped.set()
        self._beats.join()
        try:
            with self._session() as session:
                session.execute(delete(Claim).where(Claim.holder == self.holder))
        finally:
            self._engine.dispose()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with readable(self.url), self._sessions.begin() as session:
            yield session

    def take(self, key: str) -> bool:
        """Claim a piece of work; whether it is ours now.

        key: a hash of what determines the work, up to 64 characters.
        """
        with self._session() as session:
            now, process = self._now(session), this_process()
            values = {
                "holder": self.holder,
                "host": process.host,
                "pid": process.pid,
                "process_started": process.started,
                "heartbeat_at": now,
            }
            new = insert_into(session, Claim).values(key=key, **values).on_conflict_do_nothing()
            if session.scalars(new.returning(Claim.key)).first() is not None:
                return True
            seen = session.get(Claim, key)
            if seen is None or self._lives(seen, now):
                return False
            unchanged = (
                Claim.key == key,
                Claim.holder == seen.holder,
                Claim.heartbeat_at == seen.heartbeat_at,
            )
            taken = update(Claim).where(*unchanged).values(values).returning(Claim.key)
            return session.scalars(taken).first() is not None

    def _lives(self, claim: Claim, now: datetime) -> bool:
        gone = is_gone(Process(claim.host, claim.pid, claim.process_started))
        return not gone and now - claim.heartbeat_at <= self.silent_after

    def release(self, key: str) -> None:
        """Let go of a piece of work, done or not."""
        with self._session() as session:
            ours = (Claim.key == key, Claim.holder == self.holder)
            session.execute(delete(Claim).where(*ours))

    def beat(self) -> None:
        """Renew everything that is held."""
        with self._sessions.begin() as session:
            ours = update(Claim).where(Claim.holder == self.holder)
            session.execute(ours.values(heartbeat_at=self._now(session)))

    def _keep_beating(self) -> None:
        while not self._stopped.wait(self.beat_seconds):
            try:
                self.beat()
            except SQLAlchemyError:
                continue  # the next beat tries again; whoever waits for us waits for 2 minutes

    def _now(self, session: Session) -> datetime:
        """The time by the clock that all holders share: the database's."""
        if self._engine.dialect.name == "sqlite":  # a file, and so one machine
            return datetime.now(UTC)
        moment: datetime = session.scalars(select(func.clock_timestamp())).one()
        return moment
