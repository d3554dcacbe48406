"""Orders lose their legacy code, which releases before this one ask for."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.drop_column("orders", "legacy_code")


def downgrade() -> None:
    op.add_column("orders", sa.Column("legacy_code", sa.Text, nullable=False, server_default=""))
