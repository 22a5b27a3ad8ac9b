"""Names that people gave to codes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "code_labels",
        sa.Column(
            "model_id",
            sa.String(128),
            sa.ForeignKey("models.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("entity", sa.String(8), primary_key=True),
        sa.Column("level", sa.Integer(), primary_key=True),
        sa.Column("code", sa.Integer(), primary_key=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("code_labels")
