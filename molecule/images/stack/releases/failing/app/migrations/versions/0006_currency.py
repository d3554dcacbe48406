"""Adds a column in a statement of its own, and fails in the next one."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("orders", sa.Column("currency", sa.Text))
    op.execute("update orders set no_such_column = 'EUR'")


def downgrade() -> None:
    op.drop_column("orders", "currency")
