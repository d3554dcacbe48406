# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning new values for keys of a service's .env: which services use them, what else must change, what is overdue.

No value is in a plan: it is journalled. Values come again with the call that writes them.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shlex
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import before, env_file
from ansible_collections.ops.runbook.plugins.module_utils.compose.env_file import Setting
from ansible_collections.ops.runbook.plugins.module_utils.compose.plan import ComposePlanner
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets import usage
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets import value as secret_value
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets.usage import MOUNTED, Use
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService
from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.secrets import redact
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.compose.contract import ComposePlan

#: The step whose note in the ledger has the fingerprints of the new values.
WRITE = "write_env"

#: Places to revoke a value that an outside service issued, by the beginning of its key.
_ISSUERS = {
    "OPENAI": "OpenAI: platform.openai.com, API keys",
    "ANTHROPIC": "Anthropic: console, API keys",
    "FIRECRAWL": "Firecrawl: dashboard, API keys",
    "STRIPE": "Stripe: dashboard, developers, API keys",
    "AWS": "AWS: IAM, access keys",
    "GITHUB": "GitHub: settings, developer settings, tokens",
    "GH_": "GitHub: settings, developer settings, tokens",
    "SENTRY": "Sentry: settings, auth tokens",
    "SENDGRID": "SendGrid: settings, API keys",
    "SLACK": "Slack: your apps, tokens",
}

_KEYS = ("rotate=SECRET_KEY,OPENAI_API_KEY", "names the keys")


@dataclass(frozen=True)
class SecretsWish:
    """The operator's request.

    values: the new ones; they are compared with the present ones, and kept nowhere. origins: where each comes from,
    in words. declared: the inventory's facts of keys: revoke (text), max_age_days.
    role_password: the operator says that the database has the new password already.
    """

    keys: tuple[str, ...]
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    origins: Mapping[str, str] = field(default_factory=dict)
    declared: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    max_age_days: int = 90
    role_password: bool = False


def read(path: str) -> str:
    """The file's text, each byte kept."""
    return durable_file.read_bytes(path).decode("utf-8", "surrogateescape")


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


class SecretsPlanner:
    """Plans a rotation."""

    def __init__(self, service: ComposeService, planner: ComposePlanner, ledger: Answers) -> None:
        self.service = service
        self.planner = planner
        self.ledger = ledger
        self.path = service.path(service.description.env_file)

    def plan(self, wish: SecretsWish) -> ComposePlan:
        """The plan as the journal keeps it. Raises Problem."""
        settings = self._settings()
        self._must_be_ours()
        ages = self._ages(settings, wish)
        self._must_be_named(wish, settings, ages)
        config = self.service.must_be_operable()
        present = self.planner.present(config, self.service.containers(str(config["name"])))
        literals = {item.key: item.literal for item in settings if item.literal is not None}
        found, marked, marks = self._uses(wish.keys, config, literals)
        self._must_be_used(wish.keys, found)
        warnings = [*present.warnings, *self._kept_elsewhere(wish, found, marked, marks)]
        self._must_be_new(wish, literals)
        warnings += read_otherwise(self.path, wish.values, settings, found)
        services = sorted({use.service for some in found.values() for use in some})
        running = {c.service for c in self.service.containers(str(config["name"])) if c.state == "running"}
        still = [name for name in services if name in running]
        by_hand = sorted({use.service for some in found.values() for use in some if use.by_hand} & running)
        mode = stat.S_IMODE(os.stat(self.path).st_mode)
        if mode & 0o177:
            warnings.append(f"{self.path} is readable for others (mode {mode:04o}): it becomes 0600")
        for name in sorted(set(env_file.duplicates(settings)) - set(wish.keys)):
            warnings.append(f"{name} is set more than once in {self.path}; the last one counts")
        if set(services) - set(still):
            names = ", ".join(sorted(set(services) - set(still)))
            warnings.append(f"{names} does not run: it is not started, and gets the new values when somebody does")
        data = {"services": still, "by_hand": by_hand}
        names = ", ".join(wish.keys)
        up = f"recreate {', '.join(still)}, and wait until they are healthy" if still else "recreate nothing"
        places = {(use.service, use.name, key) for key, some in found.items() for use in some if use.name}
        seen = [list(place) for place in sorted(places) if place[0] in still]
        # The running images need no known digests to get a new secret.
        release = present.release or {"id": "unrecorded", "name": "", "images": {}, "revision": ""}
        return {
            "procedure": "rotate_secrets",
            "from": release,
            "to": release,
            "chosen": f"rotate={','.join(wish.keys)}",
            "proven": "",
            "project": str(config["name"]),
            "before": before.to_dict(present.before),
            "env": {"before": sha256(read(self.path)), "mode": mode, "keys": list(wish.keys)},
            "steps": [
                Step("keep_env", f"keep {self.path} as it is, 0600, until the new values are verified").to_dict(),
                Step(WRITE, f"write {names} to {self.path} (atomically, 0600, owner kept)").to_dict(),
                Step("recreate", up, data=data).to_dict(),
                Step("inside", "compare the new values inside the containers, by hash", data={"seen": seen}).to_dict(),
            ],
            "undo": [
                Step("restore_env", f"put {self.path} back as it was", data={"after": WRITE}).to_dict(),
                Step(
                    "recreate_back", f"recreate {', '.join(still) or 'nothing'}", data={**data, "after": WRITE}
                ).to_dict(),
                Step("forget_env", "remove the kept copy").to_dict(),
            ],
            "afterwards": [Step("forget_env", "remove the kept copy of the old values").to_dict()],
            "migrations": None,
            "also": [
                ["keys", _key_lines(wish, found)],
                ["ages", [f"{item.key}: {item.text}" for item in ages]],
                ["revoke", reminders(wish)],
            ],
            "reminders": reminders(wish),
            "warnings": warnings,
        }

    # -- what must be so -------------------------------------------------------------------------

    def _settings(self) -> list[Setting]:
        if not os.path.isfile(self.path):
            way = ("compose_env_file=<name>", "names the file of settings, relative to compose_project_dir")
            raise Problem("env_missing", f"there is no file {self.path}", (way,))
        try:
            return env_file.parse(read(self.path))
        except env_file.NotRead as error:
            way = (f"an editor on {self.path}", "on the host: each setting on a line of its own, as KEY=value")
            raise Problem("env_not_read", f"{self.path} is not read for sure, {error}", (way,)) from error
        except PermissionError as error:
            raise self._not_owned() from error

    def _not_owned(self) -> Problem:
        user = user_name()
        way = (
            f"sudo chown {user} {shlex.quote(self.path)}",
            "on the host; the engine reads it as the one who types compose",
        )
        return Problem("env_owner", f"{self.path} does not belong to {user}, so it can't be replaced by him", (way,))

    def _must_be_ours(self) -> None:
        """A file that is replaced gets the owner of who replaces it."""
        real = os.path.realpath(self.path)
        if os.geteuid() not in (0, os.stat(real).st_uid) or not os.access(os.path.dirname(real), os.W_OK):
            raise self._not_owned()

    def _must_be_named(self, wish: SecretsWish, settings: Sequence[Setting], ages: Sequence[secret_value.Age]) -> None:
        details = tuple(f"{item.key}: {item.text}" for item in ages)
        if not wish.keys:
            raise Problem("keys_missing", "no key was named", (_KEYS,), details)
        known = {item.key for item in settings}
        missing = [key for key in wish.keys if key not in known]
        if missing:
            text = f"{self.path} does not set {', '.join(missing)}"
            raise Problem("unknown_key", text, (_KEYS,), details)
        twice = [key for key in wish.keys if key in env_file.duplicates(list(settings))]
        if twice:
            lines = tuple(f"line {item.line}: {item.key}" for item in settings if item.key in twice)
            way = (f"an editor on {self.path}", "on the host: leave the line that counts, which is the last one")
            raise Problem("duplicate_key", f"{self.path} sets {', '.join(twice)} more than once", (way,), lines)
        by_key = {item.key: item for item in settings}
        made = [key for key in wish.keys if by_key[key].literal is None]
        if made:
            text = f"{', '.join(made)} has no value of its own in {self.path}: it is made of other variables"
            raise Problem("not_a_value", text, (("rotate=<those variables>", "rotates what it is made of"),))
        outside = [key for key in wish.keys if key in os.environ]
        if outside:
            user = user_name()
            text = f"the environment of {user} sets {', '.join(outside)}, and comes before {self.path}"
            way = (f"unset {shlex.join(outside)}", "in the profile of that user on the host")
            raise Problem("environment_wins", text, (way,))

    def _uses(
        self, keys: Sequence[str], config: Mapping[str, Any], literals: Mapping[str, str]
    ) -> tuple[dict[str, list[Use]], Mapping[str, Any], dict[str, str]]:
        marks = usage.marks(keys, f"ops{secrets.token_hex(6)}")
        try:
            # The caller's environment comes before .env, so the effect is seen without writing anything.
            answer = self.service.compose("config", "--format", "json", env=marks, timeout=60.0)
            marked: dict[str, Any] = foreign_json.loads(answer.stdout)
        except (CommandFailed, ValueError) as error:
            way = ("rotate=<other keys>", "which are texts: this one is a number or a name to Compose")
            text = f"{', '.join(keys)} can't have just any value: {error}"
            raise Problem("not_a_secret", text, (way,)) from error
        real = os.path.realpath(self.path)
        found = usage.uses(config, marked, marks, literals, self.path)
        if real != self.path:
            linked = usage.uses(config, marked, marks, literals, real)
            found = {key: list(dict.fromkeys([*some, *linked[key]])) for key, some in found.items()}
        return found, marked, marks

    def _must_be_used(self, keys: Sequence[str], found: Mapping[str, Sequence[Use]]) -> None:
        unused = [key for key in keys if not found[key]]
        if unused:
            text = f"no service uses {', '.join(unused)}: a new value would reach nobody"
            way = ("rotate=<other keys>", "without it; a key that nothing uses can go from the file")
            raise Problem("unused_key", text, (way,))

    def _kept_elsewhere(
        self,
        wish: SecretsWish,
        found: Mapping[str, Sequence[Use]],
        marked: Mapping[str, Any],
        marks: Mapping[str, str],
    ) -> list[str]:
        places = {key: usage.kept_elsewhere(key, found[key], marked, marks[key]) for key in wish.keys}
        kept = {key: some for key, some in places.items() if some}
        if not kept:
            return []
        names = ", ".join(kept)
        if wish.role_password:
            return [f"role_password=changed: the database is said to have the new {names} already; health proves it"]
        raise Problem(
            "database_password",
            f"{names} is a database's password: the database keeps it itself, and a new value in {self.path} alone "
            "would lock the services out",
            (
                (
                    "role_password=changed",
                    "once the role has the new password too (psql: \\password <role>), given by values_file",
                ),
                ("rotate=<other keys>", "leaves it"),
            ),
            tuple(f"{key}: {', '.join(some)}" for key, some in kept.items()),
        )

    def _must_be_new(self, wish: SecretsWish, literals: Mapping[str, str]) -> None:
        missing = [key for key in wish.keys if not wish.values.get(key)]
        if missing:
            raise Problem(
                "value_missing",
                f"there is no new value for {', '.join(missing)}",
                (
                    (
                        "values_file=<file on this machine>",
                        "has KEY=value lines, or is YAML, also of ansible-vault",
                    ),
                    (
                        "compose_secrets={<key>: {generate: urlsafe:48}}",
                        "in the inventory: any random value will do",
                    ),
                ),
            )
        same = [key for key in wish.keys if wish.values[key] == literals.get(key)]
        if same:
            text = f"the new value of {', '.join(same)} is the one that it has"
            raise Problem("same_value", text, (("values_file=<file>", "with another value"),))
        for key in wish.keys:
            try:
                env_file.written(wish.values[key])
            except ValueError as error:
                text = f"the new value of {key} is {error}"
                raise Problem("bad_value", text, (("values_file=<file>", "with another value"),)) from error

    # -- how old keys are ------------------------------------------------------------------------

    def _ages(self, settings: Sequence[Setting], wish: SecretsWish) -> list[secret_value.Age]:
        """Of each key whose name says that it is a secret, and of those that the inventory or the operator names."""
        return ages(settings, self.ledger, wish.declared, wish.max_age_days, wish.keys)


def ages(
    settings: Sequence[Setting],
    book: Answers,
    declared: Mapping[str, Mapping[str, Any]],
    max_days: int,
    named: Sequence[str] = (),
) -> list[secret_value.Age]:
    """How old each secret of a .env is, by the ledger."""
    keys = [(ledger_keys.ROTATED, f"{WRITE}/{item.key}") for item in settings]
    last = secret_value.rotations(book.of(keys), WRITE)
    now = datetime.now(timezone.utc)
    found: list[secret_value.Age] = []
    for item in {item.key: item for item in settings}.values():
        if redact.is_secret_name(item.key) or item.key in declared or item.key in named:
            limit = int((declared.get(item.key) or {}).get("max_age_days") or max_days)
            found.append(secret_value.age(item.key, item.literal, last.get(item.key), now, limit))
    return found


def read_otherwise(
    path: str, values: Mapping[str, str], settings: Sequence[Setting], found: Mapping[str, Sequence[Use]]
) -> list[str]:
    """Readers that see another value than Compose does: a person, or a program that opens the file itself.

    values: the new ones, by key. found: where each key is used.
    """
    lines = [
        f"line {item.line} of {path}: to Compose the comment behind {item.key}= is its value; the new value is written "
        "before the comment"
        for item in settings
        if item.key in values and item.looks_empty
    ]
    for key, value in values.items():
        other = env_file.other_readers(value)
        mounted = sorted({use.service for use in found.get(key, ()) if use.place == MOUNTED})
        if other and mounted:
            lines.append(f"{', '.join(mounted)} opens {path} itself, where Compose alone reads {key} as it is: {other}")
    return lines


def _key_lines(wish: SecretsWish, found: Mapping[str, Sequence[Use]]) -> list[str]:
    lines: list[str] = []
    for key in wish.keys:
        by_service: dict[str, list[str]] = {}
        for use in found[key]:
            by_service.setdefault(use.service, []).append(use.place)
        used = ", ".join(f"{name} ({', '.join(dict.fromkeys(places))})" for name, places in by_service.items())
        lines.append(f"{key}: {wish.origins.get(key, 'given')}; used by {used}")
    return lines


def reminders(wish: SecretsWish) -> list[str]:
    """Work that a person still has to do outside, key by key."""
    lines: list[str] = []
    for key in wish.keys:
        declared = str((wish.declared.get(key) or {}).get("revoke") or "")
        issuer = next((where for start, where in _ISSUERS.items() if key.startswith(start)), "")
        if declared or issuer:
            lines.append(f"{key}: revoke the old value: {declared or issuer}")
        elif not re.search("generated", wish.origins.get(key, "")):
            lines.append(f"{key}: revoke the old value where it was issued")
    lines.append("where CI has a copy of one of these keys, update it there (repository settings, secrets)")
    return lines
