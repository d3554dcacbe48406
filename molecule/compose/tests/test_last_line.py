"""The picture on a terminal during a step that takes long: a migration that waits, and containers that come up."""

from __future__ import annotations

from compose_lab import STATE, ComposeLab, tag
from terminal import terminal

#: Held while a deploy begins: reads go on, and a migration waits.
HELD = "begin; lock table orders in share mode; select pg_sleep(25); commit"


def test_a_terminal_has_the_last_line_of_a_migration(lab: ComposeLab) -> None:
    lab.at("good")
    lab.root(f"docker exec -d shop-db-1 psql -X -U postgres -h /tmp shop -c '{HELD}'")
    with terminal(lab, "compose_deploy", 120, to=tag("two")) as screen:
        screen.shows(r"s  INFO .*Running upgrade 0001 -> 0003")
        assert lab.root(f"stat -c %a:%U {STATE}/last_line") == "600:deploy"
        screen.shows(r"docker compose up -d .*: Container shop-\w+-1 +\w+")
        assert screen.ends() == 0, screen.seen
    assert lab.password() not in screen.seen
    assert lab.schema() == "0004"
    assert "last_line" not in lab.root(f"ls {STATE}")
