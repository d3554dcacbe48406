# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A call of a procedure but for its inputs: the version of Ansible, its options, and the hosts it is to work on."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown

#: The lowest versions that a procedure runs with: of ansible-core, and of Python on the controller.
LOWEST_ANSIBLE, LOWEST_PYTHON = (2, 19), (3, 11)
#: The option that lets another version through.
UNSUPPORTED = "operation_unsupported_ansible"
#: How a person leaves out tasks, by the name that the option has in Ansible.
PARTS = {"start_at_task": "--start-at-task", "step": "--step"}
#: Tags that Molecule tells every run to skip. No task of this collection has a tag.
MOLECULES = ("molecule-notest", "notest", "molecule-idempotence-notest")


def version_problems(ansible: str, python: Sequence[int], allowed: Callable[[], bool]) -> list[str]:
    """Why this controller can't run a procedure.

    :param allowed: whether a person said that it may all the same; asked only where it matters
    """
    core = tuple(int(part) for part in re.findall(r"\d+", ansible)[:2])
    wrong = [
        f"{what} {found} is older than {'.'.join(map(str, lowest))}"
        for what, found, lowest, old in (
            ("ansible-core", ansible, LOWEST_ANSIBLE, core < LOWEST_ANSIBLE),
            ("Python", ".".join(map(str, python)), LOWEST_PYTHON, tuple(python) < LOWEST_PYTHON),
        )
        if old
    ]
    if not wrong or allowed():
        return []
    return [
        f"{' and '.join(wrong)}, and no procedure was tested with it. Install a newer one, or type "
        f"-e {UNSUPPORTED}=true"
    ]


def word_problems(typed: Mapping[str, Any]) -> list[str]:
    """Words behind -e that belong to no name."""
    words = shown(str(typed.get("_raw_params") or ""))
    if not words:
        return []
    return [
        f"'{words}' belongs to no input: a value with spaces needs quotes of its own. "
        "Type: -e \"reason='INC-421 login loop'\""
    ]


def part_problems(options: Mapping[str, Any], procedure: str) -> list[str]:
    """Options that leave out tasks of a procedure.

    :param options: those of the command line by Ansible's names, which hold its settings and environment as well
    """
    given = [f"{option} {shown(str(options[name]))}" for name, option in PARTS.items() if options.get(name)]
    given = [text.replace("--step True", "--step") for text in given]
    tags = _names(options.get("tags"))
    skipped = [name for name in _names(options.get("skip_tags")) if name not in MOLECULES]
    if tags and "all" not in tags:
        given.append(f"--tags {shown(','.join(tags))}")
    if skipped:
        given.append(f"--skip-tags {shown(','.join(skipped))}")
    if not given:
        return []
    return [
        f"{' '.join(given)} would leave out parts of {procedure}: a procedure runs as a whole. Leave the option out "
        "(and ANSIBLE_RUN_TAGS, ANSIBLE_SKIP_TAGS, the job tags of AWX)"
    ]


def _names(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else list(value or ())
    return [name for text in texts for name in str(text).split(",") if name]


def target_problems(pattern: Any, hosts: Sequence[str], limit: str, wrong: Sequence[str]) -> list[str]:
    """Why a target can't be worked on: it has no host, or a part of it is not in the inventory.

    :param hosts: the hosts of the target, within the limit
    :param limit: what was given to `--limit`
    :param wrong: the parts of the pattern that match no host and name no group
    """
    named = f"target is '{shown(_text(pattern))}'"
    if not parts(pattern):
        return ["target is empty: -e target=<host or group>"]
    if wrong:
        which = "" if list(wrong) == [_text(pattern)] else f" as '{shown(wrong[0])}'"
        return [f"{named}: the inventory has no such host or group{which}"]
    if hosts:
        return []
    return [f"{named}: " + (f"none of its hosts is within --limit {shown(limit)}" if limit else "it has no hosts")]


def _text(pattern: Any) -> str:
    return ",".join(map(str, pattern)) if isinstance(pattern, (list, tuple)) else str(pattern)


def parts(pattern: Any) -> list[str]:
    """The hosts, groups and wildcards that a pattern of hosts is made of, without the signs that join them."""
    text = _text(pattern)
    # A colon inside brackets is a range or an address; one in a regular expression belongs to it.
    text = re.sub(r"\[[^\[\]]*\]", lambda found: found.group().replace(":", "\0"), text)
    separator = ":" if "," not in text and not text.startswith("~") else ","
    found = [part.replace("\0", ":").strip().lstrip("!&") for part in text.split(separator)]
    return [part for part in found if part]


def as_list(value: Any) -> list[str]:
    """Names as a list, also where they were typed as one text with commas."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return [str(name) for name in value or ()]
