# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Laravel service on this host: what it is, and the preconditions of every operation on it."""

from __future__ import annotations

import os
import pwd
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import write_rights
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import described
from ansible_collections.ops.runbook.plugins.module_utils.host import (
    durable_file,
    git_names,
    held_path,
    last_line,
    serving_umask,
)
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Commands
from ansible_collections.ops.runbook.plugins.module_utils.host.git_checkout import Checkout
from ansible_collections.ops.runbook.plugins.module_utils.host.last_line import LastLine
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.laravel.options import Options
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_folders import MARK, ReleaseStore
from ansible_collections.ops.runbook.plugins.module_utils.laravel.vendor_store import VendorStore
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import (
    Redactor,
    parse_dotenv,
    secret_values,
    without_login,
)
from ansible_collections.ops.runbook.plugins.module_utils.text import ways
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem, must_pass


class Description(Options):
    """The service as the inventory describes it. See the role laravel's argument specs for the meaning."""

    @property
    def in_releases(self) -> bool:
        return self.strategy == "releases"


def describe(raw: Mapping[str, Any]) -> Description:
    """The description in a module's `service` option."""
    return described(Description, {**raw, "path": raw["path"].rstrip("/") or "/"})


class LaravelService:
    """The service, and the tools with which an operation reads and changes it."""

    def __init__(
        self, description: Description, state_dir: str, inherited: Sequence[int] = (), scratch: str = "", app: str = ""
    ) -> None:
        self.description = description
        self.state_dir = state_dir
        self.store = ReleaseStore(description.path)
        # The folder of the application: the release that is served, unless another one is asked for.
        self.app = app or (self.store.current() if description.in_releases else "") or description.path
        self.redact = Redactor(secret_values(parse_dotenv(self.settings().decode("utf-8", "replace"))))
        self.commands = Commands(
            self.app,
            inherited,
            self.redact,
            description.command_timeout,
            description.data_disposable,
            # Only who holds the guard's lock writes into its folder.
            LastLine(os.path.join(state_dir, last_line.NAME), self.redact) if inherited else None,
            serving_umask.of_storage(description.path, self.file("storage")),
        )
        # git and Composer write the code, which the group of storage/ has no need to change.
        self.code_commands = replace(self.commands, umask=serving_umask.of_code(description.path))
        # A shared path is a link in a release, and git would call the tracked files behind it removed.
        aside = tuple(path.rstrip("/") for path in description.shared) if description.in_releases else ()
        self.checkout = Checkout(self.code_commands, description.git, description.remote, scratch, aside)
        # If vendor/ is a link, the tree behind it is exchanged, and the link stays.
        self.vendor = VendorStore(os.path.realpath(self.file("vendor")), os.path.join(state_dir, "vendor"))

    def at(self, app: str) -> LaravelService:
        """The same service, with another folder as its application."""
        return LaravelService(self.description, self.state_dir, self.commands.inherited, self.checkout.scratch, app)

    @property
    def user(self) -> str:
        """The name of the user that this run works as."""
        return user_name()

    def with_releases(self) -> LaravelService:
        """The same service, as it is where its releases lie side by side."""
        description = replace(self.description, strategy="releases")
        return LaravelService(description, self.state_dir, self.commands.inherited, self.checkout.scratch)

    def file(self, *parts: str) -> str:
        return os.path.join(self.app, *parts)

    def settings(self) -> bytes:
        """The content of .env; empty without a readable one."""
        # A release that is being made has no link to it yet, and its secrets are secrets already.
        for path in (self.file(".env"), self.store.shared(".env")):
            if os.path.isfile(path) and os.access(path, os.R_OK):
                return durable_file.read_bytes(path)
        return b""

    def artisan(self, *arguments: str, limited: bool = True) -> str:
        """Run an artisan command; its output. Raises CommandFailed."""
        argv = [*self.description.php, "artisan", "--no-interaction", "--no-ansi", *arguments]
        timeout = None if limited else float(7 * 24 * 3600)
        return self.commands.run(argv, timeout=timeout, tell=True).stdout

    def composer(self, *arguments: str) -> str:
        argv = [*self.description.composer, *arguments, "--no-interaction", "--no-ansi"]
        return self.code_commands.run(argv, env={"COMPOSER_NO_INTERACTION": "1"}, tell=True).stderr

    # -- preconditions ---------------------------------------------------------------------------

    def must_be_operable(self, converting: bool = False) -> str:
        """Check what every operation needs. Returns the commit that is checked out. Raises Problem.

        converting: from one strategy to the other, so that the host may be laid out for either.
        """
        path = self.description.path
        if not os.path.isdir(path):
            raise Problem("no_such_path", f"there is no folder {path}", (_SET_PATH,))
        self._must_share_what_can_be_shared()
        owner, user = user_name(os.stat(path).st_uid), self.user
        if owner != user:
            raise Problem(
                "wrong_user",
                f"{path} belongs to {owner}, and this run works as {user}: files it makes would be {user}'s",
                _ways_of(owner),
            )
        if not converting:
            self._must_have_strategy()
        needed = [self.file(name) for name in (path, "bootstrap/cache", "storage/framework/views")]
        # Git could fetch and switch halfway, and then neither go on nor back.
        held = [folder for folder in needed if os.path.isdir(folder) and not os.access(folder, os.W_OK | os.X_OK)]
        held += write_rights.held_in_git(*self.checkout.folders())
        must_pass(write_rights.refuse(self.user, held, "every release is written there"))
        try:
            head = self.checkout.head()
        except Problem as problem:
            raise problem.also([_SET_PATH]) from problem
        except CommandFailed as error:
            raise Problem("tool_missing", str(error), (("laravel_git=<path>", "names the git to use"),)) from error
        # Before the refusals that name a line of git: it would fail beside the lock file.
        self._must_be_unlocked()
        if self.store.current():
            self.must_be_whole(head)
        if not os.path.isfile(self.file("artisan")):
            raise Problem("no_artisan", f"{self.app} holds no artisan: it is not a Laravel application", (_SET_PATH,))
        repository = self.checkout.repository()
        wanted = self.description.repository
        if wanted and git_names.place(repository) != git_names.place(wanted):
            raise Problem(
                "wrong_repository",
                f"{path} is a checkout of {without_login(repository) or 'nothing'}, not of {without_login(wanted)}",
                (("laravel_repository=<address>", "names the service's repository"), _SET_PATH),
            )
        return head

    def _must_be_unlocked(self) -> None:
        locks = self.checkout.lock_files()
        if locks:
            raise Problem(
                "git_locked",
                f"another git works in {self.description.path}, or was killed there: {', '.join(locks)}",
                ((f"rm {shlex.join(locks)}", "on the host, only if no git is running there"),),
            )

    def _must_share_what_can_be_shared(self) -> None:
        """The role's own check is on the controller; who calls the module has this one."""
        shared = self.description.shared
        wrong = held_path.shared_problem(shared)
        if wrong:
            good = [path for path in shared if not held_path.shared_problem([path])]
            way = (ways.given("laravel_shared", good), "names the paths that can be shared")
            raise Problem("shared_path", f"laravel_shared: {wrong}", (way,))

    def _must_have_strategy(self) -> None:
        """The host is laid out as the inventory says; neither strategy would know what the other left."""
        link = self.store.link
        if self.description.in_releases and not self.store.current():
            wrong = "is not a link to one of its releases" if os.path.lexists(link) else "does not exist"
            raise Problem(
                "not_converted",
                f"laravel_strategy is releases, but {link} {wrong}",
                (
                    ("laravel_convert", "the procedure that turns the deployment in place into releases"),
                    ("laravel_strategy=in_place", "continues with the deployment in place"),
                ),
            )
        if not self.description.in_releases and self.store.current():
            raise Problem(
                "is_converted",
                f"laravel_strategy is in_place, but {link} points to {os.path.basename(self.store.current())}",
                (
                    ("laravel_strategy=releases", "is what this host is laid out for; set it in the inventory"),
                    ("laravel_convert with state=in_place", "goes back to a deployment in place"),
                ),
            )

    def must_be_whole(self, head: str) -> None:
        """Refuse a release whose folder is not as it was sealed. head: the commit that is checked out in it."""
        self._must_be_linked()
        self._must_be_marked(head)

    def _must_be_linked(self) -> None:
        """Refuse a release that does not use what the releases share: it would not see their data, nor they its own."""
        unlinked = self.store.unlinked(self.app, self.description.shared)
        if not unlinked:
            return
        named = ", ".join(os.path.join(self.app, path) for path in unlinked)
        line = "; ".join(self.store.relink(self.app, path) for path in unlinked)
        raise Problem(
            "release_not_linked",
            f"{named}: not a link to what the releases share, as after a checkout by hand; what was written there "
            "since is in no other release",
            ((line, "on the host, keeps it beside what is shared, and brings the link back"),),
        )

    def _must_be_marked(self, head: str) -> None:
        mark, served = self.store.mark(self.app), self.app == self.store.current()
        if mark is None:
            found = f"{self.app} is served, and is half-made"
        elif mark.commit != head:
            found = f"{self.app} was made from {mark.commit[:10]}, but {head[:10]} is checked out in it"
        else:
            return
        link, beside = shlex.quote(self.store.link), shlex.quote(f"{self.store.link}.new")
        back = self._back_to(mark.commit) if mark else ""
        ways = [(back, "on the host, brings the release back to its commit")] if back else []
        ways += [
            (
                f"ln -s {shlex.quote(os.path.join('releases', name))} {beside} && mv -T {beside} {link}",
                f"on the host, serves {name}, which is whole",
            )
            for name in self.store.whole_names()[:3]
            if served and name != os.path.basename(self.app)
        ]
        none = ("the same command again", f"once a release in {self.store.root}/releases has its mark, {MARK}")
        raise Problem("release_not_whole", found, tuple(ways) or (none,))

    def _back_to(self, commit: str) -> str:
        """The line that brings the served folder to a commit, and back to what is shared, for a person on the host."""
        line = f"git -C {shlex.quote(self.app)} checkout -f --detach {commit}"
        # git puts a folder of its own in the place of each link that leads to files of the commit.
        shared = [path.rstrip("/") for path in self.description.shared]
        tracked = [path for path in shared if self.checkout.files(commit, path)]
        return "; ".join([line, *(self.store.relink(self.app, path) for path in tracked)])

    def must_reload(self) -> None:
        """Prove the right to reload php-fpm before anything needs it. Raises Problem."""
        unit = self.description.php_fpm_unit
        if not unit:
            return
        try:
            allowed = self.commands.run(["sudo", "-n", "-l", *self.reload_command(unit)], check=False).code == 0
        except CommandFailed:
            allowed = False
        if not allowed:
            rule = shlex.quote(f"{self.user} ALL=(root) NOPASSWD: {' '.join(self.reload_command(unit))}")
            raise Problem(
                "no_sudo_right",
                f"{self.user} may not reload {unit}, so the old code would go on being served",
                (
                    (
                        f"echo {rule} | sudo tee /etc/sudoers.d/ops-runbook",
                        "once, on the host, as an administrator",
                    ),
                    (
                        "laravel_php_fpm_unit=<unit>",
                        "names another unit; empty without one (Octane)",
                    ),
                ),
            )

    def reload_command(self, unit: str) -> list[str]:
        name = unit if unit.endswith(".service") else f"{unit}.service"
        return [self.description.systemctl, "reload", name]


_SET_PATH = ("laravel_path=<folder>", "names the folder of the service")


def _ways_of(owner: str) -> tuple[tuple[str, str], ...]:
    """The ways to run as the user who owns a folder."""
    become = (
        f"ansible_become=true ansible_become_user={owner}",
        f"becomes {owner} after the login, if sudo lets it; with an operation_state_dir that {owner} may write",
    )
    connects = (f"ansible_user={owner}", f"connects as {owner}")
    try:
        shell = pwd.getpwnam(owner).pw_shell
    except KeyError:
        shell = ""
    # Such a user serves pages, and nobody logs in as one.
    return (become,) if os.path.basename(shell) in ("nologin", "false") else (connects, become)
