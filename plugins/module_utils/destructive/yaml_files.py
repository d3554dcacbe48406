# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Destructive commands in YAML: pipelines, Compose files, manifests, playbooks, files of platforms.

YAML proper would need a library that a host may not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ansible_collections.ops.runbook.plugins.module_utils.destructive.commands import judge, judge_text, script_findings
from ansible_collections.ops.runbook.plugins.module_utils.destructive.data import rm
from ansible_collections.ops.runbook.plugins.module_utils.destructive.names import Names, forms, with_values
from ansible_collections.ops.runbook.plugins.module_utils.destructive.tools import UNMISTAKABLE
from ansible_collections.ops.runbook.plugins.module_utils.destructive.words import is_prose
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

_LINE = re.compile(r"(\s*)((?:-\s+)*)(?:([\w.\"'/@${}-]+)\s*:(?=\s|\Z))?\s*(.*)\Z", re.DOTALL)
_BLOCK = re.compile(r"(?:[&!]\S+\s+)*([|>])[-+\d]*\Z")
#: Deeper than any file of people.
_DEEPEST = 60
#: Values of these are text for people.
_TEXTS = frozenset(
    "name description desc title summary if uses image note notes comment message msg fail_msg success_msg label help "
    "placeholder when text body display_name displayName changed_when failed_when regexp pattern".split()
)
_ARGUMENTS = frozenset("command entrypoint args test cmd argv".split())
_SETTINGS = frozenset("env environment variables vars args build_args build-args".split())


@dataclass
class Node:
    """A key or an item of a YAML text. line and end: its lines, counted from 1. item: it begins with a dash."""

    line: int
    indent: int
    key: str = ""
    value: str = ""
    item: bool = False
    end: int = 0
    block: str = ""
    body: list[str] = field(default_factory=list)
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)

    def above(self) -> Iterator[Node]:
        """This node and those around it, from the inside out."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def child(self, key: str) -> Node | None:
        """The value below a key."""
        return next((child for child in self.children if child.key == key), None)


def tree(lines: Sequence[str]) -> Node:
    """The keys and items of a YAML text, by their indentation."""
    root = Node(0, -1, end=len(lines))
    stack = [root]
    at = 0
    while at < len(lines):
        raw = lines[at]
        at += 1
        match = _LINE.match(raw)
        if not match or not raw.strip() or raw.lstrip().startswith(("#", "---")):
            continue
        indent = len(match.group(1))
        dashes, key, value = match.group(2), (match.group(3) or "").strip("\"'"), plain(match.group(4))
        made: list[Node] = []
        if dashes or not key:
            made.append(Node(at, indent, value="" if key else value, item=bool(dashes)))
        if key:
            made.append(Node(at, indent + len(dashes), key=key, value=value))
        block = _BLOCK.match(value)
        start = at
        own = indent + (len(dashes) if key else 0)
        while at < len(lines) and (block or value) and _continues(lines[at], own, bool(block), not key):
            at += 1
        made[-1].block, made[-1].body = block.group(1) if block else "", list(lines[start:at])
        for node in made:
            node.end = at
            while stack[-1].indent >= node.indent and not _is_item_of(stack[-1], node):
                stack.pop()
            if len(stack) > _DEEPEST:
                stack = stack[:_DEEPEST]
            node.parent = stack[-1]
            stack[-1].children.append(node)
            stack.append(node)
        for open_node in stack:
            open_node.end = max(open_node.end, at)
    return root


def _is_item_of(above: Node, node: Node) -> bool:
    """True if a list is at the indentation of its own key."""
    return node.item and not above.item and above.indent == node.indent and bool(above.key) and not above.value


def _continues(raw: str, indent: int, block: bool, item: bool) -> bool:
    if not raw.strip():
        return block
    deeper = len(raw) - len(raw.lstrip()) > indent
    if block or not deeper:
        return deeper
    return re.match(r"\s*(-\s|#|[\w.\"'/-]+\s*:(\s|\Z))", raw) is None


def plain(value: str) -> str:
    """A value without a trailing comment. A # inside quotes does not begin a comment."""
    if value[:1] in ('"', "'"):
        end = re.match(r"(\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*')\s*(#.*)?\Z", value)
        return end.group(1) if end else value
    if "#" not in value:
        return value.strip()
    return re.sub(r"(\A|[ \t])#.*\Z", "", value, flags=re.DOTALL).strip()


def scalar(value: str) -> str:
    """A value without its quotes."""
    value = re.sub(r"\A(?:[&!]\S+[ \t]+)+", "", value)
    if len(value) > 1 and value[0] == value[-1] == '"':
        try:
            return str(foreign_json.loads(value))
        except ValueError:
            return value[1:-1]
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    return value


def walk(node: Node) -> Iterator[Node]:
    """All nodes, in the order of the text."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(node.children)


def settings(node: Node) -> Iterator[tuple[str, str]]:
    """The variables that a mapping, or a list of C(NAME=value), sets."""
    for child in node.children:
        if child.key and not child.children:
            yield child.key, scalar(child.value)
        elif child.item and "=" in child.value:
            name, _equals, value = scalar(child.value).partition("=")
            yield name.strip(), value.strip()
        elif child.item:
            # A list of mappings: C(- name: X) and C(value: y).
            name_node, value_node = child.child("name"), child.child("value")
            if name_node and value_node:
                yield scalar(name_node.value), scalar(value_node.value)
    if node.value.startswith("{"):
        yield from re.findall(r"(?<!\w)([A-Za-z_]\w{0,80})\s{0,8}:\s{0,8}[\"']?([^,{}\"'\s]{1,400})", node.value)


def yaml_lines(root: Node) -> Iterator[tuple[int, str]]:
    """Line and rule of every value that is a destructive command."""
    nodes = list(walk(root))
    names = with_values(pair for node in nodes if node.key in _SETTINGS for pair in settings(node))
    for node in nodes:
        if node.key in _TEXTS or _key_above(node) in _TEXTS:
            continue
        yield from _node_findings(node, names)


def _key_above(node: Node) -> str:
    return node.parent.key if node.item and node.parent is not None else ""


def _node_findings(node: Node, names: Names) -> Iterator[tuple[int, str]]:
    if node.block:
        joint = "\n" if node.block == "|" else " \\\n"
        yield from script_findings(joint.join(node.body), node.line + 1, 0, names)
        return
    if node.key in _ARGUMENTS and not node.value and any(child.item for child in node.children):
        yield from _argv_group(node, names)
    text = " \\\n".join([scalar(node.value), *(plain(part.strip()) for part in node.body)])
    words = flow_words(" ".join([node.value, *(part.strip() for part in node.body)]))
    rule = flow_rule(words, names) or _named_task(node, text) or _module_problem(node)
    if rule:
        yield node.line, rule
    elif not words and not is_prose(text.split() or [""]):
        yield from script_findings(text, node.line, 0, names)


#: Modules of Ansible that remove data where their state is absent.
_MODULES = {
    **dict.fromkeys("mysql_db postgresql_db postgresql_schema mssql_db clickhouse_db".split(), "drop-database"),
    **dict.fromkeys("docker_volume podman_volume".split(), "docker-volume-remove"),
    **dict.fromkeys("rds_instance rds_cluster s3_bucket ec2_vol efs digital_ocean_database".split(), "cloud-delete"),
}


def _module_problem(node: Node) -> str | None:
    """The rule that a task of a playbook breaks without a command: C(state: absent), C(remove_volumes: true)."""
    if node.key == "remove_volumes" and node.value.lower() in ("true", "yes", "on"):
        return "compose-down-volumes"
    name = node.key.rpartition(".")[2]
    if name != "file" and name not in _MODULES:
        return None
    given = dict(settings(node))
    if given.get("state") != "absent":
        return None
    return rm(["-r", given.get("path", given.get("dest", ""))]) if name == "file" else _MODULES[name]


def _named_task(node: Node, text: str) -> str | None:
    """C(- artisan:migrate:fresh): a task of Deployer by its name."""
    return UNMISTAKABLE.get(text) if node.item and text.startswith("artisan:") else None


def _argv_group(node: Node, names: Names) -> Iterator[tuple[int, str]]:
    items = [child for child in node.children if child.item]
    words = [scalar(child.value) for child in items]
    for form in forms(words, names):
        rule = judge(form, 0) if len(form) > 1 else None
        if rule and not any(judge_text(word, 0) == rule for word in form):
            yield items[0].line, rule
            return


def flow_rule(words: Sequence[str], names: Names) -> str | None:
    """The rule of one command as a list of its words, or of a list of commands."""
    for form in forms(words, names):
        rule = judge(form, 0) or next(filter(None, (judge_text(word, 0) for word in form)), None)
        if rule:
            return rule
    return None


def flow_words(value: str) -> list[str]:
    """The words of C(["php", "artisan"])."""
    value = value.strip()
    if not (value.startswith("[") and value.endswith("]")):
        return []
    # An unclosed quote ends with the value; else each would be looked for to the end anew.
    quoted = re.findall(r"(?s)\"([^\"\\]*(?:\\.[^\"\\]*)*)\\?(?:\"|\Z)|'([^']*)(?:'|\Z)|([^\s,\[\]\"']+)", value)
    return [one or two or three for one, two, three in quoted]
