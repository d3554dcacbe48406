# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules about commands that destroy data: what each command destroys, and what to do instead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A kind of command that destroys data: its id, why it does, and what to do instead."""

    id: str
    why: str
    instead: str


_CONTROLLED = "go back by controlled steps: php artisan migrate:rollback --step=1, after reading its --pretend"
_BACKUP = "take a backup, prove it by a restore, and do it by hand in a maintenance window"

RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        Rule(
            "laravel-migrate-fresh",
            "drops every table, with all data, and migrates an empty database",
            "php artisan migrate --force",
        ),
        Rule(
            "laravel-migrate-refresh",
            "rolls migrations back and runs them again: the tables come back empty",
            "php artisan migrate --force; " + _CONTROLLED,
        ),
        Rule("laravel-migrate-reset", "rolls back every migration: all tables go, with all data", _CONTROLLED),
        Rule(
            "laravel-migrate-rollback",
            "rolls back the whole last batch, which may be many migrations and drop many tables",
            _CONTROLLED,
        ),
        Rule(
            "laravel-db-wipe",
            "drops every table, view and type, with all data",
            "php artisan migrate --force",
        ),
        Rule(
            "laravel-queue-clear",
            "deletes jobs that were accepted and not yet done",
            "php artisan queue:restart; for failed jobs queue:retry or queue:forget with an id",
        ),
        Rule(
            "laravel-key-generate",
            "replaces the application key: what was encrypted with the old one can no longer be read",
            "rotate the key with APP_PREVIOUS_KEYS holding the old one",
        ),
        Rule(
            "alembic-downgrade-base",
            "steps every migration down to an empty schema, with all data",
            "alembic downgrade to the revision of the target release, from the newer code",
        ),
        Rule("django-flush", "empties or drops every table", "python manage.py migrate"),
        Rule("prisma-migrate-reset", "drops the database and creates it anew, empty", "prisma migrate deploy"),
        Rule(
            "prisma-db-push",
            "changes the schema without a migration and accepts that columns and tables go with their data",
            "prisma migrate deploy",
        ),
        Rule(
            "node-orm-drop",
            "drops the database, its schema, or undoes every migration",
            "run the forward migrations; step back one migration at a time",
        ),
        Rule(
            "rails-db-drop",
            "drops or reloads the database: all rows go",
            "rails db:migrate; step back with rails db:rollback STEP=1",
        ),
        Rule(
            "schema-reset",
            "drops the database or its schema, or undoes every migration",
            "run the forward migrations; step back one migration at a time",
        ),
        Rule("site-reset", "empties the database of the site or installs the site anew", _BACKUP),
        Rule("drop-database", "drops a whole database or cluster", _BACKUP),
        Rule("sql-drop", "drops a database, schema or table with its data", "write a reviewed migration"),
        Rule("sql-truncate", "empties a table", "delete what is meant by a reviewed migration with a WHERE"),
        Rule(
            "sql-delete-all",
            "deletes every row of a table: there is no condition",
            "name the rows with a WHERE",
        ),
        Rule(
            "restore-over",
            "drops what is in the database before it restores",
            "restore into a new database, compare, and switch over",
        ),
        Rule(
            "store-delete",
            "deletes an index, a topic, a queue, a bucket or keys with everything in them",
            _BACKUP,
        ),
        Rule(
            "compose-down-volumes",
            "removes the volumes of the project: databases and uploads are in them",
            "docker compose down, or up -d --remove-orphans; volumes stay",
        ),
        Rule(
            "docker-volume-remove",
            "removes volumes, with the databases and uploads in them",
            "docker image prune for disk space; " + _BACKUP,
        ),
        Rule(
            "cluster-delete",
            "deletes volumes, or a namespace with all volumes in it",
            "delete the one workload that is meant; " + _BACKUP,
        ),
        Rule("cloud-delete", "deletes a managed database, a disk, a snapshot or a whole project", _BACKUP),
        Rule(
            "infrastructure-destroy",
            "destroys everything that the configuration made, databases too",
            "change the configuration and apply a plan that a person has read",
        ),
        Rule(
            "platform-destroy",
            "destroys an app, an add-on, a database or a volume of the platform",
            _BACKUP,
        ),
        Rule(
            "backup-delete",
            "deletes backups",
            "let a retention such as --keep-daily 7 decide which backups are removed",
        ),
        Rule(
            "redis-flush",
            "empties Redis: queued jobs, sessions and locks go with the cache",
            "php artisan cache:clear, or delete the keys of one prefix",
        ),
        Rule(
            "remove-data",
            "removes data (uploads, the files of a database, backups)",
            "name the cache or build directory that is meant, such as storage/framework/cache",
        ),
        Rule(
            "sync-delete",
            "removes at its target whatever the source does not have: uploads, .env, databases",
            "exclude what the application writes: rsync --delete --exclude storage --exclude .env",
        ),
        Rule("disk-erase", "erases a disk or a file system", _BACKUP),
        Rule(
            "git-clean-ignored",
            "removes ignored files: .env, uploads in storage, SQLite databases",
            "git status first; git clean -fd without -x, or with -e .env -e storage",
        ),
        Rule("dokku-destroy", "destroys an app, a service or a volume with its data", _BACKUP),
    )
}
