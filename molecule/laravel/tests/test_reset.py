"""A reset takes back whatever a test has done, and so does the way to a kept state."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab import APP, DATABASE, Lab

GIT = "/srv/git/vertex-laravel-api.git"
UNITS = ("nginx", "php8.4-fpm", "vertex-queue", "cron")
#: Changes of every kind. The first one leaves the size and the times of its file as they were.
DIRT = f"""
cd {APP}; touch -r .env /tmp/times; sed -i 's/^APP_KEY=base64:../APP_KEY=base64:xx/' .env; touch -r /tmp/times .env
rm -r vendor; echo more >> artisan; chmod 0777 routes; chown root config/app.php; ln -sf /etc/passwd app/link
touch 'new file'; mkdir -p storage/app/new; rm -rf .git/refs
sqlite3 {DATABASE}/database.sqlite 'drop table orders; create table stray (a)'; touch {DATABASE}/other.sqlite
install -d -o deploy -m 0755 /var/lib/ops-runbook/vertex; echo '{{}}' > /var/lib/ops-runbook/vertex/ledger.jsonl
chmod 0755 /var/lib/ops-runbook; chown root /var/lib/ops-runbook
runuser -u deploy -- git -C {GIT} tag -d v1.2.0 >/dev/null; touch {GIT}/new
crontab -r -u deploy
systemctl stop nginx php8.4-fpm vertex-queue cron
"""


def first(lab: Lab) -> None:
    lab.reset()


def kept(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")


@pytest.mark.parametrize("bring", [first, kept])
def test_a_reset_takes_everything_back(lab: Lab, bring: Callable[[Lab], None]) -> None:
    def whole() -> tuple[str, str, str]:
        units = lab.root(f"systemctl is-active {' '.join(UNITS)}", check=False)
        return lab.fingerprint(), lab.root("crontab -l -u deploy", check=False), units

    bring(lab)
    before = whole()
    assert before[2].split() == ["active"] * len(UNITS)
    lab.root(DIRT)
    assert all(one != other for one, other in zip(whole(), before, strict=True))
    bring(lab)
    assert whole() == before
    assert lab.get("/api/v1/orders") == (200, {"count": 3, "total": 1000})
