# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The items of a maintenance, as they are done on the host. Each may be cut off at any point and done again."""

from __future__ import annotations

import glob
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku import holds as dokku_holds
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import (
    Answer,
    AppMissing,
    DokkuError,
    NotACommand,
)
from ansible_collections.ops.runbook.plugins.module_utils.dokku.context import Context
from ansible_collections.ops.runbook.plugins.module_utils.dokku.holds import Holds
from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance.items import DONE, FAILED, SKIPPED, Outcome
from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance.renewal import (
    covered,
    days_left,
    is_due,
    reasons,
)
from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance.settings import Settings
from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.dokku.output import plain
from ansible_collections.ops.runbook.plugins.module_utils.dokku.status import judge, look, reading
from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys
from ansible_collections.ops.runbook.plugins.module_utils.health import rows
from ansible_collections.ops.runbook.plugins.module_utils.host import log_archive, safety_review
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Commands
from ansible_collections.ops.runbook.plugins.module_utils.sshd import audit as ssh_key_audit
from ansible_collections.ops.runbook.plugins.module_utils.sshd.audit import Policy
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json, log_errors

#: Seconds. A renewal waits for an authority on the internet, and a cleanup for the disk.
_LONG = 900.0
_AUDIT = 300.0

#: Dokku writes any text into cron's file, and cron then takes none of that file.
_CRON = re.compile(r"(?:[\d*/,-]+\s+){4}[\d*/,A-Za-z-]+")

#: A tool that is not in the image: the engine's words, and a shell's.
_NO_TOOL = re.compile(r"executable file not found|command not found|no such file or directory|: not found", re.I)

#: Ports that a Dokku host is there for.
_EXPECTED_PORTS = (22, 80, 443)

#: How many lines of a finding are kept; the report says how many there were.
_LINES = 12


class Work:
    """The items of a maintenance. Each raises DokkuError, CommandFailed or OSError if it could not be done."""

    def __init__(self, context: Context, settings: Settings, cadence: str) -> None:
        self.context = context
        self.dokku = context.service.dokku
        self.app = context.service.app
        self.settings = settings
        self.cadence = cadence
        self.commands = Commands("/", context.guard.inherited, context.service.redact, timeout=_AUDIT)

    @property
    def acts(self) -> dict[str, Callable[[], Outcome]]:
        """The function of each item, by its id."""
        return {
            "holds": self.renew_holds,
            "cleanup": self.clean_up,
            "certificates": self.renew_certificates,
            "renewal": self.schedule_renewal,
            "schedule": self.schedule_backups,
            "logs": self.archive_logs,
            "resources": self.check_resources,
            "updates": self.check_updates,
            "composer_audit": self.audit_composer,
            "npm_audit": self.audit_npm,
            "restore_drill": self.check_restore_drill,
            "tls": self.check_tls,
            "firewall": self.check_firewall,
            "users": self.check_users,
            "keys": self.audit_keys,
        }

    def do(self, item: str) -> Outcome:
        return self.acts[item]()

    @property
    def apps(self) -> tuple[str, ...]:
        """The app, and its staging app."""
        return (self.app, self.settings.staging) if self.settings.staging else (self.app,)

    @property
    def archive(self) -> str:
        return os.path.join(self.context.guard.state_dir, "logs")

    # -- holds and cleanup -----------------------------------------------------------------------

    def all_holds(self) -> list[Holds]:
        """The holds of every app of the host that has releases: a cleanup asks for no app. Raises NotACommand."""
        found = []
        for app in self.dokku.json("apps:list"):
            listed = self.dokku.json("releases", app)
            if listed:
                found.append(dokku_holds.judge(app, listed, look.texts(self.dokku.json("releases:report", app))))
        return found

    def renew_holds(self) -> Outcome:
        try:
            before = self.all_holds()
        except NotACommand:
            return Outcome(SKIPPED, "the plugin `releases` is not installed: nothing is held (dokku_releases.yml)")
        held: list[str] = []
        failed: list[str] = []
        for holds in before:
            for number in dokku_holds.to_hold(holds):
                problem = self._hold(holds, number)
                (failed if problem else held).append(f"release {number} of {holds.app}{problem}")
        gone = [f"the image of release {number} of {one.app} is gone" for one in before for number in one.gone]
        kept = sum(len(one.expected) - len(one.gone) for one in before)
        if failed:
            return Outcome(FAILED, f"{len(failed)} could not be held", (*failed, *gone))
        text = f"{kept} releases of {len(before)} apps are held"
        return Outcome(DONE, f"{text}, {len(held)} of them again" if held else text, (*held, *gone), bool(gone))

    def _hold(self, holds: Holds, number: int) -> str:
        """Hold a release again. Returns why it is not; empty where it is."""
        try:
            self.dokku.run("releases:hold", holds.app, str(number))
            if number not in holds.pinned:
                # That pinned it too. Without the pin it is held for as long as it is among the newest.
                self.dokku.run("releases:hold", holds.app, str(number), "--off")
        except DokkuError as error:
            return f": {error}"
        return ""

    def clean_up(self) -> Outcome:
        try:
            before = self.all_holds()
        except NotACommand:
            return Outcome(
                SKIPPED,
                "the plugin `releases` is not installed: a cleanup would take the images of earlier releases "
                "(dokku_releases.yml installs it)",
                attention=True,
                again=True,
            )
        unheld = [f"release {number} of {one.app}" for one in before for number in dokku_holds.to_hold(one)]
        if unheld:
            text = "not done, it would remove images that are to be kept and that nothing holds"
            return Outcome(SKIPPED, text, tuple(unheld), attention=True, again=True)
        free = _free()
        self.dokku.run("cleanup", timeout=_LONG, tell=True)
        after = {one.app: one for one in self.all_holds()}
        lost = [
            f"{one.app}: {image}"
            for one in before
            for image in dokku_holds.lost(one, after.get(one.app, Holds(one.app)))
        ]
        loose = [f"release {number} of {one.app}" for one in after.values() for number in dokku_holds.to_hold(one)]
        if lost or loose:
            return Outcome(FAILED, "it took what was held", (*lost, *loose))
        kept = sum(len(one.images) for one in before)
        gained = max(_free() - free, 0)
        text = f"{rows.size(gained)} more are free; {kept} images of releases were there before and are still"
        return Outcome(DONE, text, data={"bytes": gained, "images": kept})

    # -- certificates ----------------------------------------------------------------------------

    def _certificates(self) -> dict[str, Mapping[str, Any]]:
        """The reports of all apps whose certificate is of letsencrypt. Raises NotACommand."""
        reports = {app: self.dokku.report(app, "letsencrypt") for app in self.dokku.json("apps:list")}
        return {app: report for app, report in reports.items() if report.get("active") == "true"}

    def certificate_lines(self) -> list[str]:
        """Preview of a renewal."""
        try:
            found = self._certificates()
        except NotACommand:
            return ["the plugin letsencrypt is not installed"]
        return [
            f"{app}: {days_left(report)} days left, {'renewed' if is_due(report) else 'not due'}"
            for app, report in found.items()
        ] or ["no app has a certificate of letsencrypt"]

    def renew_certificates(self) -> Outcome:
        try:
            before = self._certificates()
        except NotACommand:
            return Outcome(SKIPPED, "the plugin letsencrypt is not installed")
        if not before:
            return Outcome(SKIPPED, "no app has a certificate of letsencrypt")
        due = [app for app, report in before.items() if is_due(report)]
        answer = self.dokku.run("letsencrypt:auto-renew", check=False, timeout=_LONG, tell=True)
        after = self._certificates()
        # By the certificates and not by the exit code alone, which names no app.
        stay = [app for app in due if app not in after or is_due(after[app])]
        lines = [f"{app}: {days_left(report)} days left" for app, report in after.items()]
        if stay or answer.rc != 0:
            who = ", ".join(stay) or "an app"
            said = reasons(answer, stay)
            return Outcome(FAILED, f"not renewed: {who}", (*said, *lines))
        text = f"{len(due)} renewed, {len(before) - len(due)} not due"
        return Outcome(DONE, text, tuple(lines))

    def schedule_renewal(self) -> Outcome:
        try:
            found = self._certificates()
        except NotACommand:
            return Outcome(SKIPPED, "the plugin letsencrypt is not installed")
        if not found:
            return Outcome(SKIPPED, "no app has a certificate of letsencrypt")
        if all(report.get("autorenew") == "true" for report in found.values()):
            return Outcome(DONE, "exists already: once a day, by dokku's cron")
        self.dokku.run("letsencrypt:cron-job", "--add")
        return Outcome(DONE, "set: once a day, by dokku's cron")

    # -- backups to a bucket -----------------------------------------------------------------------

    def schedule_backups(self) -> Outcome:
        wanted = self.settings
        if not wanted.databases:
            return Outcome(SKIPPED, "no database is described (dokku_databases)")
        if not wanted.bucket:
            text = (
                "no bucket is described (dokku_maintenance_bucket), and backup-schedule takes nothing else: "
                "the backups of this procedure stay on the host"
            )
            return Outcome(SKIPPED, text, attention=True)
        if not _CRON.fullmatch(wanted.schedule.strip()):
            return Outcome(FAILED, f"'{wanted.schedule}' is not a schedule of cron, and Dokku would write it unseen")
        lines, failed = [], []
        for plugin, name in wanted.databases:
            try:
                lines.append(f"{plugin} {name}: {self._schedule(plugin, name)}")
            except DokkuError as error:
                failed.append(f"{plugin} {name}: {error}")
        if failed:
            return Outcome(FAILED, f"{len(failed)} could not be scheduled", (*failed, *lines))
        return Outcome(DONE, f"{len(lines)} are backed up to {wanted.bucket}: {wanted.schedule}", tuple(lines))

    def _schedule(self, plugin: str, name: str) -> str:
        iam = ["--use-iam"] if self.settings.use_iam else []
        stands = self.dokku.run(f"{plugin}:backup-schedule-cat", name, check=False)
        wanted = f"{self.settings.schedule} dokku /usr/bin/dokku {plugin}:backup {name} {self.settings.bucket}"
        if stands.rc == 0 and stands.out.split() == [*wanted.split(), *iam]:
            return "exists already"
        self.dokku.run(f"{plugin}:backup-schedule", name, self.settings.schedule, self.settings.bucket, *iam)
        return "set anew" if stands.rc == 0 else "set"

    # -- logs --------------------------------------------------------------------------------------

    def log_lines(self) -> list[str]:
        """Preview of the archiving."""
        day = _today()
        return [
            f"{app}: {self.settings.log_lines} lines to {os.path.join(self.archive, log_archive.name(app, day))}; "
            f"the newest {self.settings.log_keep} archives stay"
            for app in self.apps
        ]

    def archive_logs(self) -> Outcome:
        lines, failed, removed = [], [], 0
        for app in self.apps:
            try:
                # Without the values to mask nothing is written down.
                clean = look.redactor(self.dokku, app)
                answer = self.dokku.run("logs", app, "-n", str(self.settings.log_lines), timeout=_AUDIT)
                text = list(log_errors.masked(plain(answer.out), clean))
                path = log_archive.write(self.archive, app, _today(), text)
                removed += len(log_archive.rotate(self.archive, app, self.settings.log_keep, _today()))
                lines.append(f"{path}: {len(text)} lines")
            except AppMissing:
                failed.append(f"{app}: there is no such app")
            except (DokkuError, OSError) as error:
                failed.append(f"{app}: {error}")
        if failed:
            return Outcome(FAILED, f"{len(failed)} of {len(self.apps)} logs were not archived", (*failed, *lines))
        return Outcome(DONE, f"{len(lines)} logs archived, {removed} old archives removed", tuple(lines))

    # -- reviews -----------------------------------------------------------------------------------

    def check_resources(self) -> Outcome:
        limits = Limits(memory_warn=self.settings.memory_warn)
        lines, attention = [], False
        for name in self.apps:
            role = reading.PRODUCTION if name == self.app else reading.STAGING
            app = look.read_app(self.dokku, name, role, limits)
            for row in judge.resource_rows(app, limits):
                attention = attention or row.level != rows.OK
                lines += [f"{name}: {row.text}", *row.details]
        return Outcome(DONE, f"{len(self.apps)} apps looked at", tuple(lines), attention)

    def check_updates(self) -> Outcome:
        try:
            listed = self.commands.run(["apt", "list", "--upgradable"], env={"LC_ALL": "C", "LANG": "C"})
        except CommandFailed as error:
            if "not installed" in str(error):
                return Outcome(SKIPPED, "this host has no apt")
            raise
        found = safety_review.upgrades(listed.stdout)
        security = [one for one in found if one.security]
        lines = [f"{one.name} {one.old} -> {one.new}" for one in security[:_LINES]]
        lines += [f"and {len(security) - _LINES} more"] if len(security) > _LINES else []
        age = _lists_age(time.time())
        old = age is None or age > 7
        if old:
            days = "of unknown age" if age is None else f"{age:.0f} days old"
            lines.append(f"the package lists are {days}: apt update, which needs root, was not run by this")
        restart = os.path.exists("/run/reboot-required") or os.path.exists("/var/run/reboot-required")
        lines += ["the host wants to be restarted"] if restart else []
        text = f"{len(security)} security updates of {len(found)} upgradable packages"
        data = {"security": [one.name for one in security], "upgradable": len(found), "restart": restart}
        return Outcome(DONE, text, tuple(lines), bool(security) or old or restart, data=data)

    # -- audits ------------------------------------------------------------------------------------

    def audit_composer(self) -> Outcome:
        answer = self._in_container("composer", "audit", "--locked", "--no-interaction", "--format=json")
        if isinstance(answer, Outcome):
            return answer
        if "composer.lock" in answer.said or "composer.json" in answer.said:
            return Outcome(SKIPPED, "the image has no composer.lock")
        document = _document(answer.out)
        if document is None or "advisories" not in document:
            return Outcome(FAILED, f"composer audit gave no answer: {answer.said}")
        advisories = document["advisories"] or {}
        entries = advisories.items() if isinstance(advisories, Mapping) else ()
        lines = [
            f"{package}: {one.get('title')} {one.get('cve') or ''}".strip()
            for package, every in entries
            for one in (every.values() if isinstance(every, Mapping) else every)
        ]
        return _audited("composer audit", lines)

    def audit_npm(self) -> Outcome:
        answer = self._in_container("npm", "audit", "--omit=dev", "--json")
        if isinstance(answer, Outcome):
            return answer
        document = _document(answer.out) or {}
        problem = document.get("error") or {}
        if problem.get("code") == "ENOLOCK":
            return Outcome(SKIPPED, "the image has no package-lock.json")
        if "vulnerabilities" not in document:
            return Outcome(FAILED, f"npm audit gave no answer: {problem.get('summary') or answer.said}")
        found = document["vulnerabilities"]
        return _audited("npm audit", [f"{name}: {one.get('severity')}" for name, one in sorted(found.items())])

    def _in_container(self, *command: str) -> Answer | Outcome:
        """Output of a command in the running container; `dokku run` would take an image that may have failed."""
        kinds = list(dict.fromkeys(name.partition(".")[0] for name in self._running()))
        if not kinds:
            return Outcome(FAILED, f"no process of {self.app} runs")
        kind = "web" if "web" in kinds else kinds[0]
        answer = self.dokku.run("enter", self.app, kind, *command, check=False, timeout=_AUDIT)
        if answer.rc in (126, 127) or (answer.rc != 0 and _NO_TOOL.search(answer.said) and not _document(answer.out)):
            return Outcome(SKIPPED, f"{command[0]} is not in the image of {self.app}")
        return answer

    def _running(self) -> list[str]:
        states = look.processes_of(self.dokku.report(self.app, "ps"))
        return [name for name, state in states.items() if state == "running"]

    # -- the quarter -------------------------------------------------------------------------------

    def check_restore_drill(self) -> Outcome:
        good = [(ledger_keys.ENDED, f"{procedure}/succeeded") for procedure in ("restore", "rebuild")]
        records = self.context.guard.ledger().of(good)
        way = "dokku_restore into a scratch service; docs/systems/dokku/backups.md has the steps"
        if not records:
            return Outcome(
                DONE, "no restore is in the ledger: nobody knows that the backups can be restored", (way,), True
            )
        last = records[-1]
        ended = _moment(str(last.get("finished")))
        late = ended is None or (datetime.now(timezone.utc) - ended).days > 92
        return Outcome(DONE, f"last restored {str(last.get('finished'))[:10]} ({last.get('id')})", (way,), late)

    def check_tls(self) -> Outcome:
        lines, attention = [], False
        for app in self.apps:
            domains = str(self.dokku.report(app, "domains").get("app-vhosts") or "").split()
            certificate = self.dokku.report(app, "certs")
            hsts = str(self.dokku.report(app, "nginx").get("computed-hsts") or "not known")
            if certificate.get("enabled") != "true":
                lines.append(f"{app}: no certificate; domains {' '.join(domains) or 'none'}")
                attention = True
                continue
            named = str(certificate.get("hostnames") or "").split()
            missing = [domain for domain in domains if not covered(domain, named)]
            lines.append(
                f"{app}: issued by {certificate.get('issuer')}, ends {certificate.get('expires-at')}, "
                f"verified {certificate.get('verified')}, HSTS {hsts}"
            )
            lines += [f"{app}: {', '.join(missing)} is not in the certificate"] if missing else []
            attention = attention or bool(missing) or hsts != "true"
        return Outcome(DONE, f"{len(self.apps)} apps looked at", tuple(lines), attention)

    def check_firewall(self) -> Outcome:
        sockets = safety_review.listening(_text("/proc/net/tcp"), 4) + safety_review.listening(
            _text("/proc/net/tcp6"), 6
        )
        ports = safety_review.open_ports(sockets)
        others = [port for port in ports if port not in _EXPECTED_PORTS]
        ufw = safety_review.settings(_text("/etc/ufw/ufw.conf")).get("ENABLED", "")
        lines = [f"listening to the outside: {' '.join(map(str, ports)) or 'nothing'}"]
        lines += [f"beyond 22, 80 and 443: {' '.join(map(str, others))}"] if others else []
        lines.append(
            f"ufw is {'on' if ufw == 'yes' else 'off' if ufw else 'not installed'}; rules are shown to root only"
        )
        lines.append("ports that Docker publishes pass by ufw: dokku ports:report, dokku SERVICE:info --exposed-ports")
        return Outcome(DONE, f"{len(ports)} open ports", tuple(lines), bool(others), data={"ports": ports})

    def check_users(self) -> Outcome:
        passwd, group = _text("/etc/passwd"), _text("/etc/group")
        logins, power = safety_review.logins(passwd), safety_review.as_good_as_root(passwd, group)
        lines = [f"may log in: {', '.join(logins)}"]
        lines += [f"as good as root through {name}: {', '.join(who)}" for name, who in power.items()]
        twins = power.get("uid 0", [])
        return Outcome(DONE, f"{len(logins)} accounts may log in", tuple(lines), bool(twins))

    def audit_keys(self) -> Outcome:
        lines = []
        answer = self.dokku.run("ssh-keys:list", check=False)
        if answer.rc == 0:
            lines += [f"deploys: {line.strip()}" for line in plain(answer.out).splitlines() if line.strip()]
        else:
            lines.append(f"who deploys was not listed: {answer.said}")
        own = ssh_key_audit.read_account(ssh_key_audit.names(())[0], Policy(time.time()), os.environ, "")
        lines += [f"logs in as this user: {line}" for line in safety_review.keys(own)]
        return Outcome(DONE, f"{len(lines)} keys", tuple(lines), answer.rc != 0 and "is empty" not in answer.said)


# -- helpers -------------------------------------------------------------------------------------


def _audited(tool: str, lines: Sequence[str]) -> Outcome:
    shown = tuple(lines[:_LINES]) + ((f"and {len(lines) - _LINES} more",) if len(lines) > _LINES else ())
    return Outcome(DONE, f"{tool}: {len(lines)} known holes", shown, bool(lines), data={"count": len(lines)})


def _document(text: str) -> dict[str, Any] | None:
    """The JSON object in a tool's output; warnings may precede it."""
    start = text.find("{")
    try:
        found = foreign_json.loads(text[start:]) if start >= 0 else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def _today() -> str:
    return datetime.now(timezone.utc).strftime("%Y%m%d")


def _free() -> int:
    """Free space on the disk of the engine's images."""
    return sum(disk.free_bytes for disk in rows.disks(("/var/lib/docker",)))


def _lists_age(now: float) -> float | None:
    """Days since the package lists were last brought up to date."""
    files = glob.glob("/var/lib/apt/lists/*Release") + glob.glob("/var/lib/apt/periodic/update-success-stamp")
    try:
        return min((now - os.stat(path).st_mtime) / 86400 for path in files) if files else None
    except OSError:
        return None


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""
