"""Labels of codes: how one is set, on SQLite and on PostgreSQL."""

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from training.registry.models import CodeLabel


def put_label(session: Session, key: tuple[str, str, int, int], label: str) -> None:
    """Set the label of a code, or take it away by an empty one.

    key: the model's id, the entity, the level and the code.
    """
    named = zip(("model_id", "entity", "level", "code"), key, strict=True)
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    new = (sqlite if on_sqlite else postgresql).insert(CodeLabel)
    new = new.values(**dict(named), label=label, changes=1)
    session.execute(
        new.on_conflict_do_update(
            index_elements=[CodeLabel.model_id, CodeLabel.entity, CodeLabel.level, CodeLabel.code],
            set_={"label": label, "changes": CodeLabel.changes + 1},
        )
    )
