"""Labels of codes: how one is set, on SQLite and on PostgreSQL."""

from sqlalchemy.orm import Session

from training.registry.database import insert_into
from training.registry.models import CodeLabel


def put_label(session: Session, key: tuple[str, str, int, int], label: str) -> None:
    """Set the label of a code, or take it away by an empty one.

    key: the model's id, the entity, the level and the code.
    """
    named = zip(("model_id", "entity", "level", "code"), key, strict=True)
    new = insert_into(session, CodeLabel).values(**dict(named), label=label, changes=1)
    session.execute(
        new.on_conflict_do_update(
            index_elements=[CodeLabel.model_id, CodeLabel.entity, CodeLabel.level, CodeLabel.code],
            set_={"label": label, "changes": CodeLabel.changes + 1},
        )
    )
