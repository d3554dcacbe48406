# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a plan, as they are done on the host. Each may be cut off at any point and done again."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys, release_choice
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.health import endpoint
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.laravel import probe, settings, vendor_store
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import LaravelService
from ansible_collections.ops.runbook.plugins.module_utils.laravel.vendor import (
    FROM_GIT,
    fit_class_map,
    in_git,
    install,
    live_key,
)
from ansible_collections.ops.runbook.plugins.module_utils.migrations.plan import LEFT_HALF_DONE

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.laravel.contract import LaravelPlan


class LaravelSteps:
    """The steps of deploy, rollback and maintenance, by id. checks: the endpoints of the health gate."""

    def __init__(
        self,
        service: LaravelService,
        guard: Guard,
        plan: LaravelPlan,
        secret: str = "",
        checks: Sequence[endpoint.Check] = (),
    ) -> None:
        self.service = service
        self.guard = guard
        self.plan = plan
        self.checks = checks
        self._secret = secret

    @property
    def acts(self) -> dict[str, Callable[[Step], object]]:
        """The function of each step, by the step's id up to a colon. A function raises CommandFailed or OSError."""
        return {
            "keep": self.keep_releases,
            "save_changes": self.save_changes,
            "code": self.switch_code,
            "vendor": self.bring_vendor,
            "clear": self.clear_caches,
            "migrate": self.migrate,
            "migrate_down": self.migrate_down,
            "migrate_up": self.migrate_up,
            "caches": self.build_caches,
            "restart": self.restart_workers,
            "keep_caches": self.keep_caches,
            "put_back_caches": self.put_back_caches,
            "reload": self.run_command,
            "reload_php": self.reload_php,
            "maintenance": self.set_maintenance,
            "set_aside_ledger": self.set_aside_ledger,
            "adopt": self.adopt,
            "extra": self.run_command,
        }

    def _place(self, _step: Step) -> LaravelService:
        """The service with the folder in which a step works."""
        return self.service

    def keep_releases(self, step: Step) -> object:
        """Keep what going back to the present release needs; forget what is beyond the retention."""
        service, checkout = self.service, self.service.checkout
        present, php = self.plan["from"]["id"], self.plan["php"]
        checkout.keep(present)
        checkout.keep(step.data["release"]["id"])
        past = self.guard.ledger().history()
        wanted = {
            *release_choice.kept(past, present, service.description.keep_releases),
            step.data["release"]["id"],
        }
        # Another service may use the same repository, and keep what it goes back to.
        ours = self.guard.ledger().named(ledger_keys.RELEASE)
        for commit in checkout.kept():
            if commit not in wanted and commit in ours:
                checkout.forget(commit)
        keys = {self._key(commit) for commit in wanted if checkout.has(commit)}
        service.vendor.prune(keys, ours)
        live = "" if in_git(service, present) else live_key(service, php)
        if live and service.vendor.stamp() is None:
            service.vendor.write_stamp(live, present)
        if live and live != self._key(step.data["release"]["id"]):
            service.vendor.keep_copy(live)
        return None

    def save_changes(self, step: Step) -> object:
        folder = os.path.join(self.guard.state_dir, "discarded", self.plan["saved_as"])
        self.service.checkout.save_changes(folder, step.data["files"])
        return {"saved": folder}

    def switch_code(self, step: Step) -> object:
        self.service.checkout.switch(step.data["commit"])
        return None

    def bring_vendor(self, step: Step) -> object:
        """Bring vendor/ to the commit: as it is, from the kept trees, or by Composer."""
        service, store, commit = self.service, self.service.vendor, step.data["commit"]
        if in_git(service, commit):
            return FROM_GIT
        wanted = self._key(commit)
        how = "as it was"
        if not wanted or live_key(service, self.plan["php"]) != wanted:
            if not store.has(wanted):
                return install(service, wanted, commit)
            store.bring_live(wanted)
            how = "kept tree"
        return how + fit_class_map(service, wanted, commit)

    def _key(self, commit: str) -> str:
        return vendor_store.key(self.service.checkout.show(commit, "composer.lock"), self.plan["php"])

    def clear_caches(self, _step: Step) -> object:
        return self._call(self.service, ["optimize:clear"])

    def migrate(self, step: Step) -> object:
        """Let the target's own migrator run whatever it finds pending now."""
        service = self._place(step)
        wanted = self._pending(service, list(step.data["migrations"]))
        try:
            service.artisan("migrate", "--force", limited=False)
        except CommandFailed as error:
            raise CommandFailed(f"{error}{self._remains(service, wanted)}") from error
        return {"ran": wanted}

    def _remains(self, service: LaravelService, wanted: list[str]) -> str:
        """Leftovers of a failed run of migrations, as far as they are known."""
        applied = self._applied(service)
        if applied is None or not wanted:
            return ""
        done = [name for name in wanted if name in applied]
        text = f". In the database now: {', '.join(done) if done else 'none of them'}"
        missing = next((name for name in wanted if name not in applied), "")
        if missing and not self.plan["transactional"]:
            text += f". {missing} {LEFT_HALF_DONE}"
        return text

    @staticmethod
    def _database(service: LaravelService) -> dict[str, Any]:
        """The application's own list of its migrations now; empty if it can't be asked."""
        try:
            answer = probe.ask(service.commands, service.description.php, {"migrations": True})
        except probe.ProbeFailed:
            return {}
        return dict(answer.get("database") or {})

    def _applied(self, service: LaravelService) -> list[str] | None:
        applied = self._database(service).get("applied")
        return None if applied is None else list(applied)

    def _pending(self, service: LaravelService, planned: list[str]) -> list[str]:
        """Migrations that the migrator will run; as planned if it can't be asked."""
        database = self._database(service)
        if database.get("applied") is None or "files" not in database:
            return planned
        return sorted(set(database["files"]) - set(database["applied"]))

    def migrate_down(self, step: Step) -> object:
        """Undo exactly this migration: all are offered, and the path lets artisan find only one."""
        return self._one_migration(step, "migrate:rollback", wanted_after=False)

    def migrate_up(self, step: Step) -> object:
        return self._one_migration(step, "migrate", wanted_after=True)

    def _one_migration(self, step: Step, command: str, wanted_after: bool) -> object:
        name, service = step.data["migration"], self._place(step)
        database = self._database(service)
        if database.get("applied") is None:
            raise CommandFailed("the database's migrations can't be read")
        applied = list(database["applied"])
        if (name in applied) is wanted_after:
            return "was so already"
        file = (database.get("files") or {}).get(name)
        if file is None:
            raise CommandFailed(f"the migrator of {service.app} does not find the file of {name}")
        arguments = [command, "--force", f"--path={service.file(file)}", "--realpath"]
        if not wanted_after:
            arguments.append(f"--step={len(applied)}")
        service.artisan(*arguments, limited=False)
        after = self._applied(service)
        if after is None or (name in after) is not wanted_after:
            raise CommandFailed(
                f"artisan {command} ended with 0, but {name} is {'not ' if wanted_after else 'still '}applied"
            )
        if len(after) != len(applied) + (1 if wanted_after else -1):
            raise CommandFailed(f"artisan {command} touched more than {name}")
        return None

    @property
    def _optional(self) -> list[str]:
        """Commands whose failure is only noted: without a described worker an application may know no queue."""
        return [] if self.service.description.queue_unit else ["queue:restart"]

    def build_caches(self, step: Step) -> object:
        return self._rebuild(self.service, step.data["commands"])

    def _rebuild(self, service: LaravelService, names: Sequence[str], views: str = "") -> str | None:
        """Build what the framework caches, in one process where that can be. Returns a note, or None."""
        php = service.description.php
        try:
            notes = probe.rebuild(service.commands, php, names, views, self._optional)
            if notes is None:
                # The old caches lie where a process that has booted can't get rid of them.
                notes = [note for name in names for note in probe.call(service.commands, php, [name], self._optional)]
                if views:
                    notes.append(
                        "the application keeps its caches elsewhere (APP_CONFIG_CACHE): they are not of one release"
                    )
        except probe.ProbeFailed as error:
            raise CommandFailed(str(error)) from error
        return "; ".join(notes) or None

    def restart_workers(self, step: Step) -> object:
        return self._call(self._place(step), step.data["commands"])

    def _call(self, place: LaravelService, commands: Sequence[str], optional: Sequence[str] = ()) -> str | None:
        if not commands:
            return None
        try:
            notes = probe.call(place.commands, place.description.php, commands, optional=[*optional, *self._optional])
        except probe.ProbeFailed as error:
            raise CommandFailed(str(error)) from error
        return "; ".join(notes) or None

    def keep_caches(self, _step: Step) -> object:
        ended = self.guard.ledger().named(ledger_keys.OPERATION)
        settings.keep_caches(self.service, self._kept_caches, ended)
        return None

    def put_back_caches(self, _step: Step) -> object:
        settings.put_back_caches(self.service, self._kept_caches)
        return None

    @property
    def _kept_caches(self) -> str:
        return os.path.join(self.guard.state_dir, "caches", self.plan["saved_as"])

    def run_command(self, step: Step) -> object:
        self._place(step).commands.run(step.data["command"], tell=True)
        return None

    def reload_php(self, step: Step) -> object:
        self.service.commands.run(["sudo", "-n", *self.service.reload_command(step.data["unit"])])
        return None

    def set_maintenance(self, step: Step) -> object:
        """`artisan down` or `up`, in the PHP process that gets the secret on its standard input."""
        # Without a secret nobody, the health gate included, could look behind the maintenance page.
        secret = self._secret or secrets.token_hex(16)
        request = {"maintenance": {**step.data, "secret": secret}}
        answer = probe.ask(self.service.commands, self.service.description.php, request)
        result = answer.get("maintenance") or {}
        problem = answer.get("boot_error") or answer.get("unanswered") or result.get("error")
        if problem or result.get("code") != 0:
            raise CommandFailed(self.service.redact(f"artisan {step.data['state']}: {problem or result.get('output')}"))
        return None

    def set_aside_ledger(self, _step: Step) -> object:
        return {"kept": self.guard.set_aside_ledger()}

    def adopt(self, step: Step) -> object:
        """Keep the present release as the first one that a rollback may go to."""
        service, commit = self.service, step.data["commit"]
        service.checkout.keep(commit)
        if in_git(service, commit):
            return None
        live = live_key(service, self.plan["php"])
        if live and service.vendor.stamp() is None:
            service.composer("dump-autoload", "--no-dev", "--optimize")
            service.vendor.write_stamp(live, commit)
        if live:
            return None
        if service.checkout.show(commit, "composer.lock") is None:
            return "composer.lock is not in git, so nothing is pinned: going back here will need Composer"
        return "vendor/ is not what composer.lock asks for: going back here will need Composer"
