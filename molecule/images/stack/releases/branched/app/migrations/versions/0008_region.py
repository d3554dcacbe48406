"""Orders have a region; one of two heads."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("orders", sa.Column("region", sa.Text))


def downgrade() -> None:
    op.drop_column("orders", "region")
