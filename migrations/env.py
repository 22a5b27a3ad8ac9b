"""Alembic's entry: runs the migrations on the connection that the registry hands over."""

from alembic import context

from training.registry.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters tables by copying them
    transactional_ddl=True,  # all migrations or none, on SQLite too
)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
