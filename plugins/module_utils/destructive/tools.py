# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Destructive commands by tool, as a table.

A pattern has words that follow each other among the words of a command that are not options: C(a|b) is either of two,
C(...) is any number of words, C(^) before the first binds it to the beginning, C(~) before a word makes it an
expression for the whole word, C($) is the end. C(+--force|-f) asks for an option, C(!--pretend) forbids it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_TABLE = (
    # Migrations of frameworks.
    ("prisma", "prisma-migrate-reset", "migrate reset"),
    ("prisma", "prisma-db-push", "db push +--force-reset|--accept-data-loss"),
    (
        "sequelize sequelize-cli",
        "node-orm-drop",
        "db:drop / db:migrate:undo:all",
    ),
    ("knex", "node-orm-drop", "migrate:rollback +--all / migrate:rollback all"),
    ("typeorm typeorm-ts-node-commonjs typeorm-ts-node-esm", "node-orm-drop", "schema:drop"),
    (
        "mikro-orm mikro-orm-esm",
        "node-orm-drop",
        "schema:drop !--dump|-d / schema:fresh / migration:fresh / database:drop",
    ),
    ("drizzle-kit", "node-orm-drop", "push +--force"),
    ("db-migrate", "node-orm-drop", "^reset / db:drop"),
    ("node-pg-migrate", "node-orm-drop", "^down 0 / ^redo 0"),
    (
        "ace payload adonis",
        "node-orm-drop",
        "migration:fresh|migration:reset|migration:refresh|db:wipe|db:truncate|"
        "migrate:fresh|migrate:reset|migrate:refresh / migration:rollback +--batch=0",
    ),
    ("keystone", "node-orm-drop", "dev +--reset-db"),
    ("supabase", "schema-reset", "db reset / projects delete / branches delete"),
    ("convex", "schema-reset", "import +--replace-all|--replace"),
    ("wrangler", "cloud-delete", "d1 delete / r2 bucket delete / kv:namespace delete / kv namespace delete"),
    ("alembic quart", "alembic-downgrade-base", "downgrade base !--sql"),
    ("flask superset", "alembic-downgrade-base", "db downgrade base !--sql"),
    ("airflow", "schema-reset", "db reset / resetdb"),
    ("aerich", "schema-reset", "downgrade +-v=0|--version=0"),
    ("piccolo", "schema-reset", "migrations backwards ... all"),
    (
        "manage.py django-admin django manage",
        "django-flush",
        "^flush|reset_db|reset_schema|drop_test_database|clean_db|truncate / ^migrate ... zero",
    ),
    (
        "doctrine console yii craft bin/console",
        "schema-reset",
        "doctrine:schema:drop|doctrine:mongodb:schema:drop|orm:schema-tool:drop !--dump-sql / "
        "doctrine:database:drop / doctrine:fixtures:load !--append / d:d:d / d:s:d !--dump-sql / "
        "doctrine:migrations:migrate first|0 / d:m:m first / migrate/fresh / migrate/down all / "
        "migrate/redo all / db/drop-all-tables",
    ),
    ("doctrine-migrations", "schema-reset", "migrate first|0 / migrations:migrate first|0"),
    ("phinx", "schema-reset", "rollback +-t=0|--target=0"),
    ("cake", "schema-reset", "migrations rollback +-t=0|--target=0 / migrations reset"),
    ("think", "schema-reset", "migrate:rollback +-t=0|--target=0"),
    ("spark", "schema-reset", "migrate:refresh / migrate:rollback +-b=0"),
    ("magento n98-magerun2 n98-magerun", "site-reset", "setup:uninstall / db:drop"),
    ("drush", "site-reset", "sql-drop|sql:drop|site-install|site:install|si|sql-create|sql:create"),
    ("wp", "site-reset", "db reset|drop|clean / site empty|delete"),
    ("mix", "schema-reset", "ecto.drop|ecto.reset|ash.reset|ash_postgres.drop|ash.tear_down / ecto.rollback +--all"),
    (
        "rails rake hanami rake.rb thor",
        "rails-db-drop",
        "db:drop|db:drop:all|db:reset|db:reset:all|db:migrate:reset|db:purge|db:purge:all|db:truncate_all|"
        "db:schema:load|db:structure:load|db:setup|db:setup:all|db:seed:replant|db:rebuild / "
        "db:migrate ~VERSION=0 / ^db drop / ^db structure load",
    ),
    ("sequel", "rails-db-drop", "... +-M=0"),
    ("migrate golang-migrate", "schema-reset", "drop / down +-all|--all / down $"),
    ("goose", "schema-reset", "reset / down-to 0"),
    ("dbmate", "schema-reset", "drop"),
    ("atlas", "schema-reset", "schema clean"),
    ("soda", "schema-reset", "drop / reset"),
    ("buffalo", "schema-reset", "pop drop|reset / db drop|reset"),
    ("sql-migrate", "schema-reset", "down +-limit=0|--limit=0"),
    ("tern", "schema-reset", "migrate +--destination=0|-d=0"),
    ("diesel", "schema-reset", "database reset|drop / migration redo|revert +--all"),
    ("sqlx cargo", "schema-reset", "database reset|drop"),
    ("sea-orm-cli", "schema-reset", "migrate fresh|reset|refresh"),
    ("flyway", "schema-reset", "clean"),
    (
        "mvn mvnw gradle gradlew mvn.cmd gradlew.bat",
        "schema-reset",
        "flyway:clean|liquibase:dropall|liquibase:dropAll|flywayClean|dropAll|liquibaseDropAll",
    ),
    ("liquibase", "schema-reset", "drop-all|dropAll"),
    ("dotnet", "schema-reset", "ef database drop !--dry-run / ef database update 0"),
    ("dotnet-ef", "schema-reset", "database drop !--dry-run / database update 0"),
    ("hasura", "schema-reset", "migrate apply +--down=all"),
    # Databases and stores.
    ("pg_restore", "restore-over", "... +--clean|-c !-l|--list|-f|--file"),
    ("mongorestore", "restore-over", "... +--drop"),
    ("mysqladmin mariadb-admin", "drop-database", "drop"),
    ("pg_resetwal", "drop-database", "... +-f|--force"),
    ("etcdctl", "store-delete", "del +--prefix|--from-key"),
    ("consul", "store-delete", "kv delete +-recurse"),
    ("rabbitmqctl", "store-delete", "reset|force_reset|purge_queue|delete_vhost|delete_queue"),
    ("rabbitmqadmin", "store-delete", "delete queue|vhost / purge queue"),
    ("kafka-topics.sh kafka-topics", "store-delete", "... +--delete"),
    ("influx", "store-delete", "bucket delete / delete"),
    ("nats", "store-delete", "stream|kv purge|rm|del|delete"),
    ("vault", "store-delete", "kv metadata delete / secrets disable"),
    ("aws", "store-delete", "sqs purge-queue|delete-queue / dynamodb delete-table"),
    # Containers and clusters.
    ("lando", "docker-volume-remove", "destroy"),
    ("ddev", "docker-volume-remove", "delete +-O|--omit-snapshot|-y|--yes"),
    (
        "kubectl oc k kubectl.exe microk8s.kubectl",
        "cluster-delete",
        "delete ~.*/ +-f|-k|--filename|--kustomize|-R !--dry-run / "
        "delete ... ~(\\S*,)?(pvc|pv|persistentvolumeclaims?|persistentvolumes?|ns|namespaces?|project)([,/]\\S*)? "
        "!--dry-run",
    ),
    ("nomad", "cluster-delete", "volume delete / volume deregister"),
    ("velero", "backup-delete", "^backup delete"),
    ("borg", "backup-delete", "^delete"),
    ("restic", "backup-delete", "forget ~[0-9a-f]{3,64}|latest / forget +--keep-last=0"),
    # Clouds and platforms.
    ("terraform tofu terragrunt", "infrastructure-destroy", "destroy / apply +-destroy / run-all destroy"),
    ("pulumi", "infrastructure-destroy", "^destroy / ^down / stack rm"),
    ("cdk aws-cdk cdktf", "infrastructure-destroy", "destroy"),
    ("serverless sls sst", "infrastructure-destroy", "^remove"),
    ("sam", "infrastructure-destroy", "^delete"),
    ("copilot", "infrastructure-destroy", "app|env|svc|storage delete"),
    ("vagrant", "infrastructure-destroy", "^destroy"),
    ("aws", "cloud-delete", "s3 rb / s3 rm +--recursive / s3api delete-bucket|delete-objects"),
    (
        "aws",
        "cloud-delete",
        "rds|docdb|neptune ~delete-(db-(instance|cluster)(-snapshot)?|db-snapshot|db-cluster-snapshot|"
        "global-cluster|db-instance-automated-backup) / ec2 ~delete-(volume|snapshot) / efs ~delete-file-system / "
        "elasticache|memorydb ~delete-(cache-cluster|replication-group|snapshot|cluster) / redshift ~delete-cluster / "
        "cloudformation delete-stack / backup ~delete-(recovery-point|backup-vault) / "
        "opensearch|es ~delete-(domain|elasticsearch-domain) / lightsail ~delete-\\S*(database|disk|bucket) / "
        "kms schedule-key-deletion / secretsmanager delete-secret",
    ),
    ("aws", "sync-delete", "s3 sync . +--delete !--exclude / s3 sync ~\\S*empty\\S* +--delete"),
    (
        "gcloud",
        "cloud-delete",
        "sql instances|databases|backups delete / compute disks|snapshots delete / projects delete / "
        "spanner databases|instances delete / firestore databases delete / redis instances delete / "
        "container clusters delete / filestore instances delete / "
        "storage rm +-r|-R|--recursive / storage buckets delete",
    ),
    ("gsutil", "cloud-delete", "rm +-r|-R / rb"),
    (
        "az",
        "cloud-delete",
        "group delete / sql|postgres|mysql|mariadb|redis|cosmosdb|storage|disk|snapshot|aks|keyvault ... "
        "delete|delete-batch|purge",
    ),
    (
        "doctl",
        "cloud-delete",
        "databases delete|d|rm / databases db delete / compute volume delete / compute droplet delete / "
        "compute snapshot delete / apps delete / kubernetes cluster delete / projects delete",
    ),
    ("hcloud", "cloud-delete", "volume|server|image delete"),
    ("linode-cli", "cloud-delete", "volumes|linodes|databases delete|rm"),
    ("mc mcli", "cloud-delete", "^rb / ^rm +-r|--recursive"),
    ("s3cmd", "cloud-delete", "^rb / ^del|rm +--recursive|-r"),
    ("rclone", "cloud-delete", "^purge|delete|rmdirs"),
    ("b2", "cloud-delete", "delete-bucket / bucket delete / rm +-r|--recursive"),
    (
        "heroku",
        "platform-destroy",
        "pg:reset|addons:destroy|apps:destroy|pg:wipe|redis:reset|apps:delete|pg:backups:delete",
    ),
    (
        "fly flyctl",
        "platform-destroy",
        "^apps|app|volumes|volume|vol|postgres|pg|mpg|redis|machine|storage destroy|delete|rm / ^destroy",
    ),
    ("railway", "platform-destroy", "^volume delete / ^delete / ^environment delete / ^down"),
    ("render", "platform-destroy", "services|databases|disks delete"),
    ("platform upsun", "platform-destroy", "environment:delete|project:delete"),
    (
        "vapor",
        "platform-destroy",
        "database:delete|env:delete|project:delete|cache:delete|database:scale:delete",
    ),
    ("neonctl neon", "platform-destroy", "projects|databases|branches delete / branches reset"),
    ("pscale turso", "platform-destroy", "database|db|branch delete|destroy"),
    ("gh", "platform-destroy", "repo delete"),
    ("firebase", "platform-destroy", "firestore:delete / database:remove"),
    # Disks.
    ("zfs", "disk-erase", "^destroy ~[^@]+"),
    ("zpool", "disk-erase", "^destroy"),
    ("lvremove vgremove", "disk-erase", "~\\S+"),
    ("wipefs", "disk-erase", "... ~/dev/\\S+ +-a|--all"),
    (
        "mkfs mkfs.ext4 mkfs.ext3 mkfs.xfs mkfs.btrfs mkfs.vfat mke2fs",
        "disk-erase",
        "... ~/dev/\\S+",
    ),
    ("dd", "disk-erase", "... ~of=/dev/(sd|vd|nvme|hd|xvd|mapper|md|disk)\\S*"),
    ("blkdiscard", "disk-erase", "... ~/dev/\\S+"),
)

#: Words that say what they destroy, whatever the program is called.
UNMISTAKABLE: dict[str, str] = {
    "migrate:fresh": "laravel-migrate-fresh",
    "migrate:refresh": "laravel-migrate-refresh",
    "migrate:reset": "laravel-migrate-reset",
    "db:wipe": "laravel-db-wipe",
    "artisan:migrate:fresh": "laravel-migrate-fresh",
    "artisan:migrate:refresh": "laravel-migrate-refresh",
    "artisan:migrate:reset": "laravel-migrate-reset",
    "artisan:db:wipe": "laravel-db-wipe",
    "tenants:migrate-fresh": "laravel-migrate-fresh",
    "tenants:rollback": "laravel-migrate-rollback",
    "module:migrate-fresh": "laravel-migrate-fresh",
    "module:migrate-refresh": "laravel-migrate-refresh",
    "module:migrate-reset": "laravel-migrate-reset",
    **dict.fromkeys(
        "doctrine:schema:drop doctrine:database:drop migrate/fresh migrate/down/all orm:schema-tool:drop "
        "ecto.drop ecto.reset flyway:clean flywayClean liquibase:dropAll db/drop-all-tables".split(),
        "schema-reset",
    ),
    **dict.fromkeys(
        "schema:drop schema:fresh migration:fresh migration:reset migration:refresh db:migrate:undo:all".split(),
        "node-orm-drop",
    ),
    **dict.fromkeys(
        "db:drop db:drop:all db:reset db:migrate:reset db:purge db:purge:all db:truncate_all db:schema:load "
        "db:structure:load db:seed:replant".split(),
        "rails-db-drop",
    ),
    **dict.fromkeys("setup:uninstall sql:drop sql-drop".split(), "site-reset"),
    **dict.fromkeys("pg:reset addons:destroy".split(), "platform-destroy"),
    **dict.fromkeys(
        "apps:destroy mysql:destroy mariadb:destroy postgres:destroy redis:destroy mongo:destroy".split(),
        "dokku-destroy",
    ),
    **dict.fromkeys("flushall flushdb FLUSHALL FLUSHDB".split(), "redis-flush"),
    "reset_db": "django-flush",
}

#: Words that follow a program without a known name: C($DC down -v).
_BEHIND_ANY_NAME = (
    ("prisma-migrate-reset", "migrate reset +--force|-f|--skip-seed|--skip-generate"),
    ("prisma-db-push", "db push +--force-reset|--accept-data-loss"),
    ("alembic-downgrade-base", "downgrade base !--sql"),
    ("django-flush", "^flush +--noinput|--no-input"),
    ("django-flush", "manage.py flush|reset_db"),
    ("compose-down-volumes", "^down +-v|--volumes"),
    ("compose-down-volumes", "... down +--volumes"),
    ("docker-volume-remove", "volume rm|prune"),
    ("docker-volume-remove", "system prune +--volumes"),
    ("infrastructure-destroy", "destroy +-auto-approve|--auto-approve"),
    ("schema-reset", "database drop +--force|-f|-y"),
    ("cluster-delete", "delete pvc|pv|namespace"),
    ("cloud-delete", "s3 rb"),
)


_END = re.compile("")


class Pattern(NamedTuple):
    """A pattern of the table, taken apart."""

    anchored: bool
    words: tuple[re.Pattern[str] | None, ...]
    needed: tuple[str, ...]
    forbidden: tuple[str, ...]


def _parse(text: str) -> Pattern:
    words: list[re.Pattern[str] | None] = []
    needed: list[str] = []
    forbidden: list[str] = []
    anchored = text.startswith("^")
    for part in text.lstrip("^").split():
        if part == "...":
            words.append(None)
        elif part.startswith("+-"):
            needed.append(part[1:])
        elif part.startswith("!-"):
            forbidden.append(part[1:])
        elif part == "$":
            words.append(_END)
        elif part.startswith("~"):
            words.append(re.compile(part[1:]))
        else:
            words.append(re.compile("|".join(map(re.escape, part.split("|")))))
    return Pattern(anchored, tuple(words), tuple(needed), tuple(forbidden))


def _by_program() -> dict[str, list[tuple[str, Pattern]]]:
    found: dict[str, list[tuple[str, Pattern]]] = {}
    for programs, rule, patterns in _TABLE:
        parsed = [(rule, _parse(text)) for text in patterns.split(" / ")]
        for program in programs.split():
            found.setdefault(program, []).extend(parsed)
    return found


TOOLS = _by_program()
_ANY_NAME = [(rule, _parse(text)) for rule, text in _BEHIND_ANY_NAME]


def tool_problem(program: str, arguments: Sequence[str]) -> str | None:
    """The rule that a command of a known tool breaks."""
    return _first(TOOLS.get(program, ()), arguments)


def any_name_problem(arguments: Sequence[str]) -> str | None:
    """The rule that the words behind a program without a known name break."""
    return _first(_ANY_NAME, arguments)


def _first(patterns: Iterable[tuple[str, Pattern]], arguments: Sequence[str]) -> str | None:
    if {"--help", "-h", "-?", "--version", "help", "-T", "--tasks"} & {*arguments}:
        return None
    positional = [word.rstrip(",") for word in arguments if not word.startswith("-")]
    return next((rule for rule, pattern in patterns if _fits(pattern, positional, arguments)), None)


def _fits(pattern: Pattern, positional: Sequence[str], arguments: Sequence[str]) -> bool:
    if any(_given(arguments, option) for option in pattern.forbidden):
        return False
    if not all(_given(arguments, option) for option in pattern.needed):
        return False
    starts = range(1) if pattern.anchored else range(len(positional) + 1)
    return any(_follow(pattern.words, positional[start : start + 64]) for start in starts)


def _follow(words: Sequence[re.Pattern[str] | None], positional: Sequence[str]) -> bool:
    at = 0
    gap = False
    for word in words:
        if word is None:
            gap = True
            continue
        if word is _END:
            return at == len(positional)
        while at < len(positional) and not word.fullmatch(positional[at]):
            if not gap:
                return False
            at += 1
        if at >= len(positional):
            return False
        at += 1
        gap = False
    return True


def _given(arguments: Sequence[str], wanted: str) -> bool:
    """True if one of some options is among the arguments: C(-v|--volumes), with its value C(-t=0)."""
    for option in wanted.split("|"):
        name, equals, value = option.partition("=")
        for position, word in enumerate(arguments):
            if word == "--":
                break
            following = arguments[position + 1] if position + 1 < len(arguments) else ""
            if _is_setting(word, name, value, following) if equals else _is_switch(word, name):
                return True
    return False


def _is_setting(word: str, name: str, value: str, following: str) -> bool:
    glued = len(name) == 2 and word == name + value
    return glued or word == f"{name}={value}" or word == name and following == value


def _is_switch(word: str, name: str) -> bool:
    if word == name or word.startswith(name + "="):
        return not word.endswith(("=false", "=0"))
    return len(name) == 2 and name[1] in word and re.fullmatch(r"-[A-Za-z]{2,8}", word) is not None
