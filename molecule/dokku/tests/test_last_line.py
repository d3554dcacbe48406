"""The picture on a terminal of a deploy and of a rollback: the last line of Dokku's own output, with the step."""

from __future__ import annotations

import re

from dokku_lab import STATE, DokkuLab
from terminal import terminal

SAID = r"(----->|=====>|remote:|[A-Z#])"


def test_a_terminal_has_the_last_line_of_a_deploy_and_of_a_rollback(lab: DokkuLab) -> None:
    lab.reset("apps")
    key = lab.ok("config:get", "restant-main", "APP_KEY").text.strip()
    with terminal(lab, "dokku_deploy", 200, to="v3", hotfix="true", reason="INC-9") as deploy:
        assert deploy.ends() == 0, deploy.seen
    told = rf"apply and verify .* s  dokku git:sync --build restant-main[^\r\n]*: {SAID}"
    assert re.search(told, deploy.seen), deploy.seen
    with terminal(lab, "dokku_rollback", 200, migrations="keep", reason="INC-9") as rollback:
        assert rollback.ends() == 0, rollback.seen
    told = rf"apply and verify .* s  dokku releases:rollback restant-main[^\r\n]*: {SAID}"
    assert re.search(told, rollback.seen), rollback.seen
    assert len(key) > 20 and key not in deploy.seen + rollback.seen
    assert "last_line" not in lab.root(f"ls {STATE}")
