"""Rows of the registry by id, by the start of an id, or as the newest."""

from difflib import get_close_matches
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from training.registry.errors import AmbiguousIdError, RegistryError
from training.registry.models import Activation, Model, Run

Row = TypeVar("Row", Run, Model)
_NAMED = 10
"""Ids of which a sentence names no more."""


def known_run(session: Session, run_id: str) -> Run:
    """A run by its id, or RegistryError."""
    run = session.get(Run, run_id)
    if run is None:
        raise RegistryError(f"there is no run {run_id!r}")
    return run


def known_model(session: Session, model_id: str) -> Model:
    """A model by its id or the unique start of it, or RegistryError with the closest ids."""
    model = by_prefix(session, Model, model_id)
    if model is not None:
        return model
    known = list(session.scalars(select(Model.id).order_by(Model.id)))
    if not known:
        raise RegistryError(f"there is no model {model_id!r}: none is registered yet")
    close = ", ".join(get_close_matches(model_id, known, n=3, cutoff=0))
    raise RegistryError(f"there is no model {model_id!r}; the closest: {close}")


def by_prefix(session: Session, kind: type[Row], start: str) -> Row | None:
    """The row of an id, or of the unique start of one.

    Raises:
        AmbiguousIdError: several ids start so; some of them are named.
    """
    exact = session.get(kind, start)
    if exact is not None or not start:
        return exact
    query = select(kind).where(kind.id.startswith(start, autoescape=True)).order_by(kind.id)
    found = list(session.scalars(query.limit(_NAMED + 1)))
    if len(found) > 1:
        named = [each.id for each in found[:_NAMED]] + ["…"] * (len(found) > _NAMED)
        raise AmbiguousIdError(
            f"{start!r} is the start of several {kind.__tablename__}: {', '.join(named)}"
        )
    return found[0] if found else None


def current_activation(session: Session, task: str) -> Activation | None:
    """A task's newest activation."""
    query = select(Activation).where(Activation.task == task).order_by(Activation.id.desc())
    return session.scalars(query.limit(1)).first()
