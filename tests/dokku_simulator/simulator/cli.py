"""Finds the plugin for a call of `dokku`."""

from __future__ import annotations

import importlib
import os
import pwd
import re
import shlex
import subprocess
import sys
from pathlib import Path

from . import builds
from .core import COMMAND, ENABLED, HOME, HOST, LIB, Command, Failure, plugin_environment, refuse, warn

# Where the command's name does not say the plugin.
PLUGINS = {
    "cleanup": "builder",
    "deploy": "scheduler",
    "git-hook": "git",
    "git-receive-pack": "git",
    "git-upload-pack": "git",
    "_redeploy": "config",
    "version": "server",
    "--version": "server",
    "-v": "server",
    **dict.fromkeys(("network", "registry", "scheduler", "builder", "buildpacks", "app-json"), "simple"),
    "logs:report": "simple",
    "logs:set": "simple",
    "apps:set": "simple",
    "builder:set": "simple",
    "urls": "nginx",
    "ps:retire": "retire",
    "ps:rebuild": "git",
    "proxy": "nginx",
    "enter": "run",
    "mysql": "services",
    "redis": "services",
    "postgres": "services",
}


def find(command: str) -> Command | None:
    """Only the plugin that is asked is loaded: one command of Dokku often is many of these."""
    name = command.partition(":")[0]
    module = PLUGINS.get(command) or PLUGINS.get(name, name.replace("-", "_"))
    if not re.fullmatch("[a-z_]+", module) or not (Path(__file__).with_name(f"{module}.py")).exists():
        return None
    commands: dict[str, Command] = getattr(importlib.import_module(f"{__package__}.{module}"), "COMMANDS", {})
    return commands.get(command)


# What is not known of these is refused.
NO_FLAGS = {
    "cleanup",
    "ps:retire",
    "deploy",
    "git:set",
    "ps:stop",
    "ps:start",
    "ps:rebuild",
    "ps:set",
    "ports:set",
    "checks:set",
    "domains:add",
    "domains:set",
    "domains:remove",
    "apps:lock",
    "apps:unlock",
    "apps:locked",
    "apps:exists",
}


NOT_BARE = {
    "enter",
    "domains:clear",
    "domains:reset",
    "certs:add",
    "proxy:disable",
    "proxy:enable",
    "ps:restart",
    "ps:rebuild",
    "run",
    "domains:add",
    "domains:set",
    "domains:remove",
    "resource:report",
    "git:from-image",
    "ps:stop",
    "ps:start",
    "ps:set",
    "ports:set",
    "deploy",
    "git-hook",
}


NO_GLOBAL = {
    "builds:report",
    "cron:list",
    "storage:report",
    "logs",
    "ps:report",
    "apps:report",
    "checks:report",
    "ports:report",
    "resource:report",
    "docker-options:report",
    "git:set",
    "ps:set",
    "ports:set",
    "checks:set",
    "domains:add",
    "domains:set",
    "domains:remove",
    "ps:stop",
    "ps:start",
    "ps:restart",
    "ps:rebuild",
    "resource:limit",
}


# Names that were called and are not commands: Dokku refuses them too, so the simulator lacks nothing.
NO_COMMANDS = {
    "nginx:build-config",
    "letsencrypt:nosuch",
    "plugin:triggers",
    "nosuch",
    "nosuch:sub",
    "apps:nosuch",
    "ps:nosuch",
    "config:nosuch",
    "ps:rollback",
    "git:rollback",
    "rollback",
    "deploy:rollback",
    "tags",
    "tags:deploy",
    "restart",
    "status",
    "shell:nosuch",
}


def plugin_command(command: str, argv: list[str]) -> int | None:
    name, _, sub = command.partition(":")
    script = ENABLED / name / "subcommands" / (sub or "default")
    if name and os.access(script, os.X_OK):
        return subprocess.run([str(script), command, *argv], env=plugin_environment()).returncode
    for script in sorted(ENABLED.glob("*/commands")):
        code = subprocess.run([str(script), command, *argv], env=plugin_environment()).returncode
        if code != 10:
            return code
    return None


def over_ssh(typed: str) -> list[str]:
    """The words that came over ssh. Quotes of the typist's shell are gone by then; what is left is split once more."""
    try:
        return shlex.split(typed)
    except ValueError:
        return typed.split()


def become_dokku(argv: list[str]) -> None:
    """Dokku is one user, whoever calls. A caller without the right is told so by sudo."""
    user = pwd.getpwnam(os.environ.get("DOKKU_SYSTEM_USER", "dokku"))
    if os.geteuid() == user.pw_uid:
        return
    caller = pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid():
        if argv and argv[0].startswith("plugin:"):
            raise Failure("This command must be run as root")
        os.execvp("sudo", ["sudo", "-u", user.pw_name, "-E", "-H", str(COMMAND), *argv])
    if argv and argv[0].startswith("plugin:"):
        return
    os.environ.update(SSH_USER=caller, HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name)
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def main(argv: list[str]) -> int:
    # Over ssh the words come in a variable.
    if os.environ.get("SSH_ORIGINAL_COMMAND"):
        argv = over_ssh(os.environ.pop("SSH_ORIGINAL_COMMAND"))
    try:
        if HOST:
            become_dokku(argv)
            # The caller's folder may be closed to Dokku, and then the engine's client fails in it.
            if not os.access(".", os.X_OK):
                os.chdir(HOME)
        return answer(list(argv), argv)
    except BrokenPipeError:
        # Whoever listened has gone: the connection of a deploy was lost, or a list went into `head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        builds.end_open_build(141)
        return 141
    except Failure as failure:
        sys.stdout.flush()
        if failure.message:
            sys.stderr.write(failure.message + "\n" if failure.bare else f" !     {failure.message}\n")
        return failure.code


def answer(argv: list[str], typed: list[str]) -> int:
    """The exit code of `dokku`."""
    if not (LIB / "plugins").is_dir():
        refuse("a run without DOKKU_SIMULATOR_ROOT, on a host that has no Dokku")
    while argv and argv[0] in ("--quiet", "--force", "--app"):
        flag = argv.pop(0)
        if flag == "--quiet":
            os.environ["DOKKU_QUIET_OUTPUT"] = "1"
        elif flag == "--force":
            os.environ["DOKKU_APPS_FORCE_DELETE"] = "1"
        else:
            os.environ["DOKKU_APP_NAME"] = argv.pop(0)
    command, rest = (argv[0], argv[1:]) if argv else ("", [])
    known = find(command)
    if known is not None:
        if os.environ.get("DOKKU_APP_NAME"):
            rest = [os.environ["DOKKU_APP_NAME"], *rest]
        if command in NO_FLAGS and any(word.startswith("--") and word != "--global" for word in rest):
            refuse(" ".join(argv))
        if command in NOT_BARE and not rest:
            refuse(command)
        if "--help" in rest[:1]:
            refuse(" ".join(argv))
        if command in NO_GLOBAL and "--global" in rest:
            refuse(" ".join(argv))
        known(rest)
        return 0
    code = plugin_command(command, rest)
    if code is None:
        if command not in NO_COMMANDS and command.partition(":")[0] != "releases":
            refuse(" ".join(typed))
        warn(f"`{' '.join(argv)}` is not a dokku command.")
        warn("See `dokku help` for a list of available commands.")
        return 1
    return code
