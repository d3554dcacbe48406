# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Destructive commands in files that hold shell commands in a syntax of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ansible_collections.ops.runbook.plugins.module_utils.destructive.code import code_findings
from ansible_collections.ops.runbook.plugins.module_utils.destructive.commands import script_findings
from ansible_collections.ops.runbook.plugins.module_utils.destructive.names import Names, in_text, note, with_values
from ansible_collections.ops.runbook.plugins.module_utils.destructive.windows import windows_problem
from ansible_collections.ops.runbook.plugins.module_utils.destructive.words import is_prose
from ansible_collections.ops.runbook.plugins.module_utils.destructive.yaml_files import flow_rule, flow_words

Found = Iterator[tuple[int, str]]


def dockerfile_lines(text: str) -> Found:
    """Dockerfiles: commands of the image's build, and commands of its containers."""
    lines = text.split("\n")
    names: dict[str, list[str]] = {}
    at = 0
    while at < len(lines):
        start = at
        match = re.match(
            r"\s*(?:ONBUILD\s+)?(RUN|CMD|ENTRYPOINT|HEALTHCHECK|COPY|ADD|ENV|ARG)\s+(.*)\Z", lines[at], re.I
        )
        at += 1
        if not match:
            continue
        instruction, body = match.group(1).upper(), [match.group(2)]
        while body[-1].rstrip().endswith("\\") and at < len(lines):
            # A comment line inside a continued instruction does not end it.
            body.append("\\" if lines[at].lstrip().startswith("#") else lines[at])
            at += 1
        mark = re.search(r"<<-?[\"']?(\w+)", body[0])
        while mark and at < len(lines):
            body.append(lines[at])
            at += 1
            if lines[at - 1].strip() == mark.group(1):
                break
        if instruction in ("ENV", "ARG"):
            for name, value in _docker_settings("\n".join(body)):
                note(names, name, value)
        elif mark or instruction not in ("COPY", "ADD"):
            yield from _instruction(instruction, body, start + 1, mark is not None, names)


def _docker_settings(text: str) -> list[tuple[str, str]]:
    pairs = re.findall(r"(?<!\w)([A-Za-z_]\w{0,80})=(\"[^\"\n]*\"|'[^'\n]*'|[^\s\"']+)", text)
    old = re.match(r"([A-Za-z_]\w*)[ \t]+([^=\n]+)\Z", text.strip())
    return [(name, value.strip("\"'")) for name, value in pairs] or ([(old.group(1), old.group(2))] if old else [])


def _instruction(instruction: str, body: list[str], line: int, document: bool, names: Names) -> Found:
    script = "\n".join(body)
    if instruction in ("COPY", "ADD") or document and re.match(r"\s*(--\S+\s+)*<<", script):
        body[0], body[-1] = "", ""
        script = "\n".join(body)
    script = re.sub(r"\A\s*(--\S+\s+)+", "", script)
    if instruction == "HEALTHCHECK":
        script = re.sub(r"\A\s*CMD\s+", "", script, flags=re.I)
    words = flow_words(script.replace("\\\n", " ").strip())
    rule = flow_rule(words, names)
    found = [(line, rule)] if rule else [] if words else list(script_findings(script, line, 0, names))
    # A build works on the image's own layers: files removed there are nobody's data.
    harmless = ("remove-data", "git-clean-ignored") if instruction == "RUN" else ()
    yield from ((place, name) for place, name in found if name not in harmless)


_MAKE_VARIABLE = re.compile(r"\s*(?:export\s+|override\s+)*([\w.-]+)\s*(?::::?|::?|\?|\+|!)?=\s*(.*)\Z", re.DOTALL)


def makefile_lines(text: str) -> Found:
    """Makefiles: recipes, and the values of variables."""
    prepared: list[str] = []
    pairs: list[tuple[str, str]] = []
    continued = defined = False
    for raw in text.split("\n"):
        line = raw.replace("$$", "$")
        defined = not line.startswith("endef") and (defined or line.startswith("define "))
        if not continued:
            if line.startswith("\t") or defined:
                line = re.sub(r"\A\s*[@+-]+\s*", "", line)
            elif re.match(r"\s*#", line):
                line = ""
            else:
                match = _MAKE_VARIABLE.match(line)
                rule = re.match(r"[^\s:=#][^:=#]*::?[^=;#]*(?:;(.*)|#.*)?\Z", line)
                if match:
                    pairs.append((match.group(1), match.group(2).partition(" #")[0].rstrip("\\ ")))
                line = match.group(2) if match else (rule.group(1) or "") if rule else line
        continued = raw.endswith("\\")
        prepared.append(line)
    return script_findings("\n".join(prepared), 1, 0, with_values(_resolved(pairs)))


def _resolved(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Variables whose values hold variables, each put in once."""
    names = with_values(pairs)
    return [(name, in_text(value, names)) for name, value in pairs]


def justfile_lines(text: str) -> Found:
    """justfiles: recipes are indented, and variables are put in as C({{name}})."""
    pairs = []
    prepared = []
    for raw in text.split("\n"):
        match = re.match(r"(?:export\s+)?([\w-]+)\s*:=\s*(.*)\Z", raw)
        if match:
            pairs.append((match.group(1), match.group(2).strip().strip("\"'`")))
        body = raw[:1] in (" ", "\t") and not match
        prepared.append(re.sub(r"\A\s*[@-]+\s*", "", raw) if body else "")
    return script_findings("\n".join(prepared), 1, 0, with_values(pairs))


def procfile_lines(text: str) -> Found:
    """Procfiles: a name, a colon and a command."""
    for number, raw in enumerate(text.split("\n"), 1):
        match = re.match(r"\s*[\w.-]+\s*:\s*(.*)\Z", raw)
        if match and not raw.lstrip().startswith("#"):
            yield from script_findings(match.group(1), number, 0)


def unit_lines(text: str) -> Found:
    """systemd units and supervisor programs."""
    for number, raw in enumerate(text.split("\n"), 1):
        match = re.match(r"\s*(Exec\w+|command)\s*=\s*[-@:+!]*(.*)\Z", raw)
        if match:
            yield from script_findings(match.group(2), number, 0)


def blade_lines(text: str) -> Found:
    """Laravel Envoy: shell between directives."""
    without, setups = _between(text, "{{--", "--}}")
    del setups
    plain, setups = _between(without, "@setup", "@endsetup")
    for offset, setup in setups:
        yield from ((line + offset, rule) for line, rule in code_findings(setup, "php"))
    plain = re.sub(r"^[ \t]*@\w[^\n]*", "", plain, flags=re.MULTILINE)
    yield from script_findings(plain, 1, 0)


def _between(text: str, begin: str, end: str) -> tuple[str, list[tuple[int, str]]]:
    """A text with everything between two marks blanked, and the blanked parts with their line numbers."""
    kept: list[str] = []
    taken: list[tuple[int, str]] = []
    line = at = 0
    while True:
        start = text.find(begin, at)
        stop = text.find(end, start + len(begin)) if start >= 0 else -1
        if stop < 0:
            kept.append(text[at:])
            return "".join(kept), taken
        line += text.count("\n", at, start)
        inner = text[start + len(begin) : stop]
        kept += [text[at:start], "\n" * inner.count("\n")]
        taken.append((line, inner))
        line += inner.count("\n")
        at = stop + len(end)


_TOML_KEY = re.compile(r"\s*[\"']?([\w.-]+)[\"']?\s*=\s*(.*)\Z", re.DOTALL)
_TOML_STRINGS = re.compile(r"\"\"\"|'''|\"([^\"\\\n]*(?:\\.[^\"\\\n]*)*)\\?(?:\"|\Z)|'([^'\n]*)(?:'|\Z)|(#)")
_TOML_TEXTS = frozenset(
    (
        "description",
        "name",
        "title",
        "summary",
        "help",
        "license",
        "keywords",
        "authors",
        "version",
        "readme",
        "comment",
    )
)


def toml_lines(text: str) -> Found:
    """TOML: each string that is a command, and lists of words."""
    key = ""
    depth = 0
    closing = ""
    block: list[str] = []
    words: list[str] = []
    for number, raw in enumerate(text.split("\n"), 1):
        if closing:
            body, found, rest = raw.partition(closing)
            block.append(body)
            if not found:
                continue
            yield from script_findings("\n".join(block), number - len(block) + 1, 0)
            closing, raw = "", rest
        elif not depth:
            match = _TOML_KEY.match(raw)
            key, words = (match.group(1), []) if match else (key, words)
        if key in _TOML_TEXTS or raw.lstrip().startswith("["):
            continue
        for match in _TOML_STRINGS.finditer(raw):
            if match.group(0) in ('"""', "'''"):
                closing, block = match.group(0), [raw[match.end() :]]
                if match.group(0) in block[0]:
                    closing, body = "", block[0].partition(match.group(0))[0]
                    yield from script_findings(body, number, 0)
                break
            if match.group(3):
                break
            value = match.group(1) if match.group(1) is not None else match.group(2) or ""
            words.append(value)
            if " " in value.strip() and not is_prose(value.split()):
                yield from script_findings(value.replace('\\"', '"'), number, 0)
        bare = _TOML_STRINGS.sub(" ", raw)
        depth = max(0, depth + bare.count("[") - bare.count("]")) if "=" in raw or depth else 0
        if not depth and len(words) > 1:
            rule = flow_rule(words, {})
            if rule and not any(" " in word for word in words):
                yield number, rule
            words = []


def batch_lines(text: str) -> Found:
    """Batch files of Windows."""
    prepared = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = re.sub(r"\A\s*@+\s*", "", raw)
        if re.match(r"\s*(rem\b|::)", line, re.I):
            line = ""
        rule = windows_problem(line)
        if rule:
            yield number, rule
        # A backslash is a part of a path here, and ^ continues a line.
        prepared.append(re.sub(r"\^\Z", r" \\", line.replace("\\", "/")))
    yield from script_findings("\n".join(prepared), 1, 0)


def powershell_lines(text: str) -> Found:
    """PowerShell scripts."""
    plain, _comments = _between(text, "<#", "#>")
    prepared = []
    for number, raw in enumerate(plain.split("\n"), 1):
        line = raw.replace("\\", "/")
        rule = None if line.lstrip().startswith("#") else windows_problem(raw)
        if rule:
            yield number, rule
        prepared.append(re.sub(r"`\Z", r" \\", line))
    yield from script_findings("\n".join(prepared), 1, 0)


_COMMENT = re.compile(r"\s*(#|//|/\*|\*|--|;|<!--|\"\s|REM\b|rem\b|::)")
_STRING = re.compile(r"\"([^\"\\\n]*(?:\\.[^\"\\\n]*)*)\\?(?:\"|\Z)|'([^'\n]*)(?:'|\Z)")
_INSTRUCTION = re.compile(r"\A\s*(?:RUN|CMD|run|sh|bat|exec|command|cmd|shell)\b[ \t:=(]*")


def text_lines(text: str) -> Found:
    """A file of a deployment in a syntax that is not known here: its strings and its lines, as commands."""
    for number, raw in enumerate(text.split("\n"), 1):
        if len(raw) > 20000 or _COMMENT.match(raw):
            continue
        strings = [one or two for one, two in _STRING.findall(raw)]
        rule = flow_rule(strings, {}) if len(strings) > 1 else None
        if rule:
            yield number, rule
            continue
        bare = _INSTRUCTION.sub("", raw, count=1)
        found = [
            rule
            for one in [*strings, bare]
            if " " in one.strip() and not is_prose(one.split())
            for _line, rule in script_findings(one.replace('\\"', '"'), 1, 1)
        ]
        if found:
            yield number, found[0]
