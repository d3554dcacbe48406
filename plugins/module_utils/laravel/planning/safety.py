# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refusals of a release that would destroy settings or data of a host, or would not come whole. Pure."""

from __future__ import annotations

import shlex

from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import entry, known
from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning.facts import Course, Facts
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release import label
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import Description
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem


def must_leave_the_settings(facts: Facts, course: Course) -> None:
    """Raise Problem where one of the two releases tracks .env."""
    for commit in (course.source["id"], course.target["id"]):
        if entry(facts.tracks_env, "tracks_env", commit):
            lost = "switching would overwrite or remove the settings of this host"
            text = f"commit {commit[:10]} tracks a file .env: {lost}"
            way = "without .env; remove it from the repository: git rm --cached .env"
            raise Problem("env_tracked", text, (("to=<another release>", way),))


def must_keep_data(service: Description, facts: Facts, course: Course) -> None:
    """Raise Problem where Composer would run commands of the target that destroy data.

    A waiver says that a check may pass over a line; Composer would still run it here.
    """
    if service.data_disposable:
        return
    findings = known(facts.scripts, "scripts")
    if findings:
        ways = (
            ("to=<another release>", "without them"),
            ("the variable laravel_data_disposable: true", "in the inventory, for a service whose data may be lost"),
        )
        text = f"composer.json of {label(course.target)} runs commands that destroy data"
        raise Problem("destructive_scripts", text, ways, findings)


def must_not_hide_files(service: Description, facts: Facts, course: Course) -> None:
    """Raise Problem if a link in the checkout takes the place of files of the target.

    The link stays, and a release with other files behind it would not be brought whole.
    """
    if service.in_releases:
        return
    for name, link in known(facts.links, "links").items():
        here, there = shlex.quote(link.place), shlex.quote(link.leads_to)
        mount = f"rm {here} && mkdir {here} && mount --bind {there} {here}"
        raise Problem(
            "behind_link",
            f"{link.place} is a link to {link.leads_to}, and {len(link.files)} files of {label(course.target)} "
            "below it differ from those of the present release: git would replace the link, and what lies there "
            "would be out of sight",
            (
                (f"sudo sh -c {shlex.quote(mount)}", "on the host, puts a mount in the place of the link"),
                (
                    f"git rm -r --cached {shlex.quote(name)}",
                    "in the repository, where its files are data of a host",
                ),
            ),
            link.files[:40],
        )
