"""Things that must never be committed, and the promises of the worked example."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[2]
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{16}"
    r"|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_\w{60}|\bAKIA[A-Z0-9]{16}\b|\bxox[abp]-[\w-]{20}"
)
HOMES = re.compile(r"(?:/home|/Users)/(?!(?:deploy|ops|example|you|dokku)\b)[a-z][\w.-]*/")


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def places(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in tracked():
        text = path.read_text(errors="replace")
        for match in pattern.finditer(text):
            found.append(f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()[:24]}")
    return found


def test_no_file_holds_a_secret() -> None:
    assert places(SECRETS) == []


def test_no_file_holds_a_path_of_this_machine() -> None:
    own = [str(ROOT)] if len(ROOT.parts) > 2 else []
    if len(Path.home().parts) > 2:
        own.append(str(Path.home()))
    assert places(re.compile("|".join([HOMES.pattern, *map(re.escape, own)]))) == []


def test_every_link_is_relative_and_leads_somewhere() -> None:
    links = [path for path in (ROOT / "collections").rglob("*") if path.is_symlink()]
    assert {path.name for path in links} >= {"galaxy.yml", "meta", "playbooks", "plugins", "roles"}
    wrong = [path for path in links if path.readlink().is_absolute() or not path.exists()]
    assert wrong == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("playbooks/*.yml")), ids=lambda path: path.stem)
def test_a_playbook_is_short_and_says_what_it_is_for(path: Path) -> None:
    lines = path.read_text().splitlines()
    # The guard is not a procedure that anybody calls.
    assert path.stem == "operate" or len(lines) < 40
    assert lines[0] == "---" and lines[1].startswith("# ")


def test_the_example_describes_services_in_words_that_the_roles_know() -> None:
    examples = [plain_yaml.load(path.read_text()) for path in sorted(ROOT.glob("inventories/example/*.yml"))]
    groups = {name: group for example in examples for name, group in example.items()}
    assert "vertex" in groups
    for role in sorted(path.parent.parent.name for path in ROOT.glob("roles/*/meta/argument_specs.yml")):
        specs = plain_yaml.load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text())["argument_specs"]
        known = {name for entry in specs.values() for name in entry.get("options", {})}
        used = {name for group in groups.values() for name in group.get("vars", {}) if name.startswith(f"{role}_")}
        assert used <= known
