# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that destroy data, and the wrappers through which they are still seen."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.destructive.scan import RULES, argv_problem

DESTRUCTIVE = {
    "php artisan migrate:fresh": "laravel-migrate-fresh",
    "php artisan migrate:fresh --seed --force": "laravel-migrate-fresh",
    "php artisan --env=production migrate:fresh": "laravel-migrate-fresh",
    "php artisan --env production migrate:fresh": "laravel-migrate-fresh",
    "php artisan -n migrate:fresh": "laravel-migrate-fresh",
    "php artisan migrate:fr": "laravel-migrate-fresh",
    "php artisan db:w --force": "laravel-db-wipe",
    "php8.3 /var/www/app/artisan migrate:refresh": "laravel-migrate-refresh",
    "php -d memory_limit=-1 artisan migrate:refresh --step=1": "laravel-migrate-refresh",
    "./artisan migrate:reset": "laravel-migrate-reset",
    "artisan db:wipe": "laravel-db-wipe",
    "@php artisan db:wipe": "laravel-db-wipe",
    "php artisan migrate:rollback": "laravel-migrate-rollback",
    "php artisan migrate:rollback --force": "laravel-migrate-rollback",
    "php artisan migrate:rollback --step=0": "laravel-migrate-rollback",
    "php artisan queue:clear redis": "laravel-queue-clear",
    "php artisan key:generate --force": "laravel-key-generate",
    "php artisan tinker --execute=\"DB::statement('DROP TABLE users')\"": "sql-drop",
    "sail artisan migrate:fresh": "laravel-migrate-fresh",
    "./vendor/bin/sail artisan migrate:fresh": "laravel-migrate-fresh",
    "alembic downgrade base": "alembic-downgrade-base",
    "alembic -c prod.ini downgrade base": "alembic-downgrade-base",
    "python3 -m alembic downgrade base": "alembic-downgrade-base",
    "flask db downgrade base": "alembic-downgrade-base",
    "python manage.py flush --no-input": "django-flush",
    "python manage.py migrate shop zero": "django-flush",
    "prisma migrate reset --force": "prisma-migrate-reset",
    "npx prisma migrate reset": "prisma-migrate-reset",
    "npx --yes prisma@5.1.0 migrate reset": "prisma-migrate-reset",
    "pnpm exec prisma db push --accept-data-loss": "prisma-db-push",
    "prisma db push --force-reset": "prisma-db-push",
    "npx sequelize-cli db:drop": "node-orm-drop",
    "npx knex migrate:rollback --all": "node-orm-drop",
    "bundle exec rake db:drop": "rails-db-drop",
    "bin/rails db:reset": "rails-db-drop",
    "rails db:schema:load": "rails-db-drop",
    "dropdb app": "drop-database",
    "dropdb --if-exists -h db app": "drop-database",
    "mysqladmin -f drop app": "drop-database",
    "psql -c 'DROP DATABASE app'": "sql-drop",
    "psql -h db app -c 'drop schema public cascade'": "sql-drop",
    "mysql -e 'TRUNCATE users'": "sql-truncate",
    "mysql app -e 'DELETE FROM users;'": "sql-delete-all",
    "mongosh --eval 'db.dropDatabase()'": "sql-drop",
    "docker compose down -v": "compose-down-volumes",
    "docker compose -f prod.yml -p app down --volumes": "compose-down-volumes",
    "docker-compose down --remove-orphans -v": "compose-down-volumes",
    "docker volume rm app_db": "docker-volume-remove",
    "docker volume prune -f": "docker-volume-remove",
    "docker system prune -af --volumes": "docker-volume-remove",
    "redis-cli FLUSHALL": "redis-flush",
    "redis-cli -h cache -n 1 flushdb async": "redis-flush",
    "rm -rf storage": "remove-data",
    "rm -rf ./storage/app/public": "remove-data",
    "rm -r -f /var/www/app/storage/*": "remove-data",
    "rm -rf /var/lib/mysql": "remove-data",
    "rm -fr /srv/data": "remove-data",
    "rm -rf /": "remove-data",
    "rm --recursive --force $PGDATA": "remove-data",
    "git clean -fdx": "git-clean-ignored",
    "git clean -f -d -x": "git-clean-ignored",
    "git -C /srv/app clean -xdf -e .env": "git-clean-ignored",
    "dokku apps:destroy shop": "dokku-destroy",
    "dokku --force apps:destroy shop": "dokku-destroy",
    "dokku mysql:destroy shop-db --force": "dokku-destroy",
    "ssh dokku@host apps:destroy shop": "dokku-destroy",
    "php bin/console doctrine:schema:drop --force": "schema-reset",
    "wp db reset --yes": "site-reset",
    "pg_restore --clean -d app dump.custom": "restore-over",
    "rabbitmqctl purge_queue mail": "store-delete",
    "kubectl -n shop delete pvc data-db-0": "cluster-delete",
    "aws s3 rb s3://uploads --force": "cloud-delete",
    "terraform destroy -auto-approve": "infrastructure-destroy",
    "heroku pg:reset --confirm shop": "platform-destroy",
    "borg delete repo::archive": "backup-delete",
    "rsync -a --delete ./ deploy@host.example.com:/srv/shop": "sync-delete",
    "zfs destroy tank/db": "disk-erase",
}

HARMLESS = [
    "php artisan migrate --force",
    "php artisan migrate",
    "php artisan migrate:status",
    "php artisan migrate:rollback --step=1 --force",
    "php artisan migrate:rollback --step 2",
    "php artisan migrate:rollback --batch=7",
    "php artisan migrate:rollback --path=database/migrations/2026_01_01_000000_x.php",
    "php artisan migrate:rollback --pretend",
    "php artisan migrate:reset --pretend",
    "php artisan help migrate:fresh",
    "php artisan migrate:fresh --help",
    "php artisan queue:restart",
    "php artisan queue:failed",
    "php artisan queue:forget 5",
    "php artisan key:generate --show",
    "php artisan key:generate --ansi",
    "php artisan config:cache",
    "php artisan make:factory UserFactory",
    "php artisan db",
    "php artisan db:seed --force",
    "php artisan queue:work --queue=db:wipe",
    "alembic downgrade -1",
    "alembic upgrade head",
    "alembic downgrade head:base --sql",
    "prisma migrate deploy",
    "prisma db push",
    "rails db:migrate",
    "docker compose down",
    "docker compose down --remove-orphans",
    "docker compose run -v data:/data app ls",
    "docker compose up -d",
    "docker volume ls",
    "docker image prune -f",
    "docker rm -f web",
    "redis-cli PING",
    "rm -rf storage/framework/cache/data/*",
    "rm -rf storage/logs/*",
    "rm -rf node_modules vendor bootstrap/cache",
    "rm -rf public/storage",
    "rm -f storage/app/lock",
    "rm -rf /srv/app/releases/20260101/storage",
    "git clean -fd",
    "git clean -ndx",
    "git clean -fdx -e .env -e storage",
    "git reset --hard abc1234",
    "git commit -m 'php artisan migrate:fresh'",
    "git commit -m migrate:fresh",
    "echo php artisan migrate:fresh",
    "echo 'php artisan migrate:fresh'",
    "grep -rn migrate:fresh .",
    "sudo grep -rn 'artisan migrate:fresh' .",
    "psql -c 'SELECT 1'",
    "psql -c '-- DROP DATABASE app'",
    'mysql -e "DELETE FROM jobs WHERE id = 5"',
    "truncate -s 0 app.log",
    "dropdb --help",
    "dokku apps:list",
    "dokku network:destroy old",
    "bash deploy.sh",
    "composer install --no-dev --optimize-autoloader",
    "env",
    "sudo -u deploy",
]

WRAPPERS = [
    "sudo",
    "sudo -u deploy -E --",
    "env APP_ENV=production",
    "APP_ENV=production LOG=1",
    "nice -n 10",
    "timeout 600",
    "flock -n /tmp/lock",
    "nohup",
    "docker exec -it app",
    "docker compose exec -T app",
    "docker compose run --rm app",
    "ssh -p 2222 deploy@host.example.com",
    "kubectl exec deploy/api --",
    "dokku run shop",
    "xargs",
    "time",
    "exec",
    "./wait-for-db.sh db:5432 --",
]


@pytest.mark.parametrize(("command", "rule"), DESTRUCTIVE.items())
def test_destructive_command_is_named(command: str, rule: str) -> None:
    found = argv_problem(shlex.split(command))
    assert found is not None and found.id == rule


@pytest.mark.parametrize("command", HARMLESS)
def test_harmless_command_is_let_through(command: str) -> None:
    assert argv_problem(shlex.split(command)) is None


@pytest.mark.parametrize("command", [item for item in DESTRUCTIVE if not item.startswith("@")])
@pytest.mark.parametrize("shell", ["sh -c", "bash -lc", "/bin/bash -e -o pipefail -c", "sudo bash -c", "su deploy -c"])
def test_destructive_command_is_seen_inside_a_shell(shell: str, command: str) -> None:
    for script in (command, f"cd /srv/app && {command} || true", f"if true; then\n  {command}\nfi"):
        assert argv_problem([*shlex.split(shell), script]) is not None


@given(
    wrappers=st.lists(st.sampled_from(WRAPPERS[:6]), max_size=3),
    outer=st.sampled_from(WRAPPERS),
    command=st.sampled_from([item for item in DESTRUCTIVE if item.split()[0] in ("php", "npx", "alembic", "sail")]),
)
def test_wrappers_hide_nothing(wrappers: list[str], outer: str, command: str) -> None:
    argv = [word for item in (outer, *wrappers, command) for word in shlex.split(item)]
    found = argv_problem(argv)
    assert found is not None and found.id == DESTRUCTIVE[command]


@given(wrapper=st.sampled_from(WRAPPERS), command=st.sampled_from(HARMLESS))
def test_wrappers_accuse_nothing(wrapper: str, command: str) -> None:
    assert argv_problem(shlex.split(wrapper) + shlex.split(command)) is None


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_words_are_judged_without_an_error(argv: list[str]) -> None:
    argv_problem(argv)


@given(st.text(alphabet="ab \"'`$(){}|;&<>#\\\n=", max_size=60))
def test_any_script_is_judged_without_an_error(script: str) -> None:
    argv_problem(["sh", "-c", script])


@given(st.text(alphabet='ab "`$(){}|;&>#\\=', max_size=30))
def test_a_command_on_its_own_line_is_found_whatever_follows(after: str) -> None:
    assert argv_problem(["sh", "-c", f"php artisan db:wipe\n{after}"]) is not None


@pytest.mark.parametrize(
    ("script", "rule"),
    {
        "echo 'DROP DATABASE app' | psql": "sql-drop",
        "psql app <<SQL\nSELECT 1;\nDROP TABLE users;\nSQL\n": "sql-drop",
        "psql app <<< 'DROP TABLE users'": "sql-drop",
        "echo FLUSHALL | redis-cli": "redis-flush",
        "echo 'php artisan db:wipe' | ssh host": "laravel-db-wipe",
        "ssh host <<'EOF'\ncd app\nphp artisan db:wipe\nEOF": "laravel-db-wipe",
        'out="$(php artisan migrate:fresh)"': "laravel-migrate-fresh",
        "x=`php artisan migrate:fresh`": "laravel-migrate-fresh",
        "CMD='php artisan migrate:fresh'; $CMD": "laravel-migrate-fresh",
        "(cd app; php artisan \\\n  migrate:fresh)": "laravel-migrate-fresh",
        "yes | php artisan migrate:fresh 2>&1 >/dev/null": "laravel-migrate-fresh",
        'eval "php artisan migrate:fresh"': "laravel-migrate-fresh",
        "for d in a b; do php artisan db:wipe; done": "laravel-db-wipe",
        "echo don't\nphp artisan db:wipe": "laravel-db-wipe",
        "cat > run.sh <<EOF\nphp artisan db:wipe\nEOF": "laravel-db-wipe",
    }.items(),
)
def test_scripts_that_destroy(script: str, rule: str) -> None:
    found = argv_problem(["sh", "-c", script])
    assert found is not None and found.id == rule


@pytest.mark.parametrize(
    "script",
    [
        "# php artisan migrate:fresh",
        "ls # php artisan migrate:fresh",
        "echo 'never run' php artisan migrate:fresh; ls",
        "cat <<EOF\nphp artisan migrate:fresh\nEOF\nls",
        'log "running php artisan migrate:fresh is forbidden"',
        "if grep -q 'artisan migrate:fresh' composer.json; then exit 1; fi",
        "php artisan list | grep migrate:fresh",
        'case "$1" in migrate:fresh|db:wipe) exit 1;; esac',
        '[[ "$cmd" == "php artisan migrate:fresh" ]] && exit 1',
    ],
)
def test_scripts_that_only_speak_of_it(script: str) -> None:
    assert argv_problem(["sh", "-c", script]) is None


def test_every_rule_says_why_and_what_instead() -> None:
    for rule in RULES.values():
        assert rule.why and rule.instead and rule.why[0].islower()
    assert set(DESTRUCTIVE.values()) == set(RULES)
