# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of a pipeline whose database is their own: it is made for the job and goes with it.

A command counts as safe only if its own job makes the data, and nothing in the job reaches another host.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from ansible_collections.ops.runbook.plugins.module_utils.destructive.yaml_files import Node, settings, walk

_JOBS = frozenset("jobs steps script before_script after_script pipelines blocks stages phases".split())
_NO_PIPELINE = frozenset("hosts tasks handlers apiVersion".split())

#: Rules about things that a database of the job cannot be.
_ELSEWHERE = frozenset(
    "cluster-delete cloud-delete infrastructure-destroy platform-destroy dokku-destroy backup-delete sync-delete "
    "laravel-key-generate".split()
)
#: Things of the machine on which the job runs.
_OF_MACHINE = frozenset(
    "compose-down-volumes docker-volume-remove remove-data git-clean-ignored disk-erase store-delete".split()
)

_REMOTE = re.compile(
    r"\b(ssh|sshpass|scp-action|ssh-action|ssh-deploy|kubectl|oc|helm|heroku|flyctl|fly|railway|gcloud|ansible|"
    r"ansible-playbook|vapor|dokku|DOCKER_HOST|envoy|dep|cap|capistrano|appleboy|fabric|fab|eb|copilot|render|"
    r"supabase link|ssm|ecs)\b(?!-?keygen|-?agent|-?keyscan)|--context[= ]|docker -H|--linked\b|"
    r"--env(?:ironment)?[= ]prod|RAILS_ENV=prod|APP_ENV=prod|NODE_ENV=prod"
)
_ENGINE = re.compile(
    r"my-?sql|maria-?db|postg|\bpg\b|pgvector|timescale|mongo|redis|valkey|keydb|mssql|sql-?server|cockroach|oracle|"
    r"\bdb\b|database|elastic|opensearch|clickhouse|cassandra|rabbitmq|kafka|minio|neo4j",
    re.I,
)
_STARTED = re.compile(
    r"\bcompose\b[^\n]{0,120}\bup\b|docker(-| )compose[^\n]{0,120}\b(up|run|start)\b|"
    r"docker run[^\n]{0,300}(mysql|maria|postg|mongo|redis|mssql|valkey)|"
    r"(systemctl|service) (re)?start [\w.@-]{0,40}(mysql|maria|postg|mongo|redis)|"
    r"service (mysql|mariadb|postgresql|redis)[\w-]{0,40} start|sem-service start|"
    r"supabase start|sail up|ddev start|lando start|pg_ctl(cluster)? |initdb\b|"
    r"(setup|start|action)[\w-]{0,40}(mysql|maria|postg|mongo|redis)|"
    r"(mysql|maria|postg|mongo|redis)[\w-]{0,40}(setup|action)|"
    r"touch [^\n]{0,200}\.sqlite|>\s?[^\s]{0,100}\.sqlite|create database|\bcreatedb\b|"
    r"harmon758/postgresql|ikalnytskyi|mxschmitt|supercharge/(redis|mongodb)",
    re.I,
)
_OF_TESTS = re.compile(
    r"(?m)\b(APP_ENV|RAILS_ENV|RACK_ENV|NODE_ENV|MIX_ENV|FLASK_ENV|SYMFONY_ENV)\s?[:=]\s?[\"']?(test|testing|ci)\b|"
    r":memory:|DB_CONNECTION\s?[:=]\s?[\"']?sqlite|sqlite:|\.env\.(ci|test|testing)\b|_test\b[\"']?[ \t]{0,8}$"
)
_ADDRESS_NAME = re.compile(
    r"\A(?:\w*_)?(?:DATABASE|DB|PG|POSTGRES(?:QL)?|MYSQL|MARIADB|MONGO(?:DB)?|REDIS|SQL(?:SERVER)?)_?\w*?"
    r"(?:URL|URI|HOST|HOSTNAME|DSN|SERVER|ADDRESS|CONNECTION_STRING)\Z",
    re.I,
)
_INLINE = re.compile(r"\b([A-Z][A-Z0-9_]{1,60})=[\"']?([^\s\"']{1,300})")
_AUTHORITY = re.compile(r"://(?:[^\s/@\"']{0,200}@)?([\w.$\{\}-]{1,200})")
_HOST_OPTION = re.compile(r"(?:\s-h\s?|--host[= ])[\"']?([\w.$\{\}-]{2,200})")
_KEPT_SECRETS = re.compile(r"secrets\.\w{0,60}(ENV|DOTENV)\w{0,60}[^\n]{0,80}\.env\b")
_PROTECTED = re.compile(r"\b(prod|production|live|staging|demo)\b", re.I)


#: Commands of one file that are looked at; a file with more was not written by people.
_MOST_ASKED = 100
#: Steps before a command that are looked at.
_MOST_STEPS = 200


def is_pipeline(root: Node) -> bool:
    """True if a YAML text is a pipeline: it has jobs, steps or scripts."""
    keys = {child.key for child in root.children}
    if keys & _NO_PIPELINE:
        return False
    second = {grand.key for child in root.children for grand in child.children}
    return bool(keys & _JOBS or second & {"script", "steps", "pipelines", "commands"})


class Jobs:
    """The jobs of a pipeline: which of its lines belong together."""

    def __init__(self, root: Node, lines: Sequence[str]) -> None:
        self._nodes = list(walk(root))
        self._starts = [node.line for node in self._nodes]
        self._lines = lines
        self._asked = 0

    def have_own_data(self, line: int, rule: str) -> bool:
        """True if the data that a command destroys was made by its own job."""
        self._asked += 1
        return self._asked <= _MOST_ASKED and own_data(self._at(line), self._lines, line, rule)

    def _at(self, line: int) -> Node:
        place = bisect_right(self._starts, line) - 1
        while place > 0 and self._nodes[place].end < line:
            place -= 1
        return self._nodes[max(place, 0)]


def own_data(node: Node, lines: Sequence[str], line: int, rule: str) -> bool:
    """True if the data that a command in a line, which belongs to a node, destroys was made by its own job."""
    if rule in _ELSEWHERE:
        return False
    path = list(node.above())
    step = next((one for one in path if one.item), node)
    step_text = _text(lines, step)
    beside = [other for one in path if one.parent for other in one.parent.children[:_MOST_STEPS] if other is not one]
    pairs = [pair for other in beside if other.key in ("env", "environment", "variables") for pair in settings(other)]
    job_text = "\n".join([*_before(step, lines), *_up_to(lines, step, line, rule)])
    if _REMOTE.search(step_text) or _is_protected(beside) or _KEPT_SECRETS.search(job_text):
        return False
    pairs += _INLINE.findall(job_text)
    if _reaches_out(pairs, lines[line - 1] if line <= len(lines) else ""):
        return False
    if rule in _OF_MACHINE and (_is_hosted(beside) or _STARTED.search(job_text)):
        return True
    said = "\n".join([*(f"{name}={value}" for name, value in pairs), job_text])
    return bool(_has_engine(beside, lines) or _STARTED.search(job_text) or _OF_TESTS.search(said))


def _text(lines: Sequence[str], node: Node) -> str:
    kept = [text for text in lines[max(node.line - 1, 0) : node.end] if not text.lstrip().startswith("#")]
    return "\n".join(kept)[:20000]


def _before(step: Node, lines: Sequence[str]) -> Iterator[str]:
    """The steps of the same job before a step, and the commands that the job runs before all of them."""
    left = _MOST_STEPS
    for node in step.above():
        if node.parent is None:
            return
        for other in node.parent.children:
            left -= 1
            if other.line >= node.line or left < 0:
                break
            if other.item or other.key in ("before_script", "prologue", "install", "before_install", "setup"):
                yield _text(lines, other)


def _up_to(lines: Sequence[str], step: Node, line: int, rule: str) -> Iterator[str]:
    """The lines of a step up to a command; services started after the command do not count."""
    yield from (text for text in lines[max(step.line - 1, 0) : line - 1] if not text.lstrip().startswith("#"))
    last = lines[line - 1] if line <= len(lines) else ""
    yield last.partition(" down")[0] if rule == "compose-down-volumes" else last


def _is_protected(beside: Sequence[Node]) -> bool:
    for node in beside:
        if node.key not in ("environment", "deployment"):
            continue
        name = node.child("name")
        if _PROTECTED.search(node.value) or name is not None and _PROTECTED.search(name.value):
            return True
    return False


def _is_hosted(beside: Sequence[Node]) -> bool:
    """True if the job runs on a machine that is thrown away after it."""
    runners = [f"{node.value} {' '.join(child.value for child in node.children)}" for node in beside]
    return any(
        node.key == "runs-on" and re.match(r"\W*(ubuntu|windows|macos)-", runner) and "self-hosted" not in runner
        for node, runner in zip(beside, runners)
    )


def _has_engine(beside: Sequence[Node], lines: Sequence[str]) -> bool:
    for node in beside:
        if node.key in ("services", "containers", "addons", "resources") and _ENGINE.search(_text(lines, node)):
            return True
        if node.key == "default" and (services := node.child("services")) and _ENGINE.search(_text(lines, services)):
            return True
        if node.key == "docker" and _ENGINE.search("\n".join(_text(lines, one) for one in node.children[1:])):
            return True
    return False


def _reaches_out(pairs: Sequence[tuple[str, str]], line: str) -> bool:
    """True if an address of a database is on another host, or is a secret that cannot be read here."""
    for name, value in pairs:
        if not _ADDRESS_NAME.match(name[:80]):
            continue
        if re.search(r"secrets\.|\bvars\.|\A\$\{?[A-Z_]*(PROD|STAG|LIVE)", value):
            return True
        authority = _AUTHORITY.search(value)
        host = authority.group(1) if authority else "" if "://" in value else value
        if _is_far(host):
            return True
    return any(_is_far(host) for host in [*_AUTHORITY.findall(line), *_HOST_OPTION.findall(line)])


def _is_far(host: str) -> bool:
    host = host.rpartition(":")[0] if re.fullmatch(r"[^:]{1,200}:\d{1,5}", host) else host
    if not host or host.startswith(("127.", "localhost", "0.0.0.0", "$", "{")) or host == "host.docker.internal":
        return False
    return "." in host and re.fullmatch(r"[\w-]+(\.[\w-]+)+", host) is not None
