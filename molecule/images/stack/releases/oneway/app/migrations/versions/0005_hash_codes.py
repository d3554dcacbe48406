"""Codes are kept as hashes only: there is no way back."""

from alembic import op

revision = "0005"
down_revision = "0001"


def upgrade() -> None:
    op.execute("update orders set legacy_code = md5(legacy_code)")


def downgrade() -> None:
    raise NotImplementedError("a hash can't be turned back")
