"""Orders have a channel; one of two heads."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("orders", sa.Column("channel", sa.Text))


def downgrade() -> None:
    op.drop_column("orders", "channel")
