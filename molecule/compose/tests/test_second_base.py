"""A release with a second Alembic base, which the release before does not have: what is offered to go back is done."""

from __future__ import annotations

from compose_lab import REGISTRY, RELEASES, ComposeLab, tag

NEW = "sha-b111111"
MIGRATION = """\
\"\"\"Plans, on a base of their own.\"\"\"

import sqlalchemy as sa
from alembic import op

revision = "b1"
down_revision = None
branch_labels = ("billing",)


def upgrade() -> None:
    op.create_table("plans", sa.Column("name", sa.Text))


def downgrade() -> None:
    op.drop_table("plans")
"""


def publish(lab: ComposeLab) -> None:
    """The release good2 with one migration more, pushed to the registry under a tag of its own."""
    backend, worker = (f"{REGISTRY}/acme/shop-{name}" for name in ("backend", "worker"))
    good2 = tag("good2")
    lab.root(
        "export DOCKER_CONFIG=/srv/lab/docker; set -e; "
        f"cat > /tmp/b1.py <<'END'\n{MIGRATION}END\n"
        f"docker pull --quiet {backend}:{good2}; docker pull --quiet {worker}:{good2}; "
        f"made=$(docker create {backend}:{good2}); docker cp -q /tmp/b1.py $made:/app/migrations/versions/b1.py; "
        f"docker commit $made {backend}:{NEW}; docker rm $made; docker tag {worker}:{good2} {worker}:{NEW}; "
        f"docker push --quiet {backend}:{NEW}; docker push --quiet {worker}:{NEW}"
    )


def test_a_base_that_the_target_does_not_have_is_undone(lab: ComposeLab) -> None:
    lab.at("good")
    publish(lab)
    run = lab.play("compose_deploy", to=NEW)
    assert run.green, run.text
    assert (lab.version(), lab.schema()) == (RELEASES["good2"].version, "0001,b1")

    asked = lab.play("compose_rollback")
    assert not asked.green
    assert "migrations=down" in asked.text, asked.text
    down = lab.play("compose_rollback", migrations="down")
    assert down.green, down.text
    assert "alembic downgrade b1@base" in down.text
    assert (lab.version(), lab.schema()) == (RELEASES["good"].version, "0001")
    assert lab.get("/api/v1/orders") == (200, {"count": 3, "total": 1000})
    assert lab.columns("plans") == []
