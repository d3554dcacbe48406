# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A word in a file of inputs is the text that is written there, whatever YAML or JSON makes of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from many_playbooks import run_all

from ansible_collections.ops.runbook.plugins.module_utils.console import own_procedures, written
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

#: Words that a person types for a release, a commit, an id, a name, a number of seconds or an answer.
WORDS = (
    *("1.10", "2.0", "1e5", "12e4", "1.2e+3", "0123456", "1234567", "0777", "0x1F", "0b11", "1_000", "+7", "-3", ".5"),
    *("2026-01-01", "2026-11-30 14:27:19", "20260101T010203Z", "12:30:45", "1:30", "010", "08", ".inf", ".nan"),
    *("on", "off", "yes", "No", "true", "False", "y", "n", "null-1", "v1.10", "1.10.0", "a" * 40, "9" * 40),
)


def through(source: str, name: str = "to") -> Any:
    """An input of a document, as Ansible reads it and as it reaches a procedure."""
    try:
        found = json.loads(source)
    except ValueError:
        found = yaml.safe_load(source)
    return written.as_written(found, written.read(source, plain_yaml.load_texts))[name]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_of_yaml_is_a_text(word: str) -> None:
    assert through(f"to: {word}\n") == word
    assert through(f"to: [{word}, x]\n") == [word, "x"]
    assert through(f"to: {{one: {word}}}\n") == {"one": word}


@pytest.mark.parametrize("word", ["1.10", "12e4", "1E5", "1234567", "-0.0", "100000000000000000000000.5"])
def test_a_number_of_json_is_a_text(word: str) -> None:
    assert through(f'{{"to": {word}, "list": [{word}]}}') == word


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('{"to": true}', "true"),
        ('{"to": null}', ""),
        ("to:\n", ""),
        ("to: ~\n", ""),
        ('to: "1.10"\n', "1.10"),
        ("to: !!str 1.10\n", "1.10"),
        ("to: !!int '010'\n", "010"),
        ("other: &one 1.10\nto: *one\n", "1.10"),
        ("to: 1.0\nto: 1.10\n", "1.10"),
        ("to: |\n  1.10\n", "1.10\n"),
    ],
)
def test_other_ways_to_write_a_value(source: str, expected: str) -> None:
    assert through(source) == expected


@given(st.from_regex(r"[0-9a-f]{4,40}", fullmatch=True))
@example("0123456")
@example("1234e56")
def test_each_abbreviation_of_a_commit_is_a_text(commit: str) -> None:
    assert through(f"to: {commit}\n") == commit
    assert through(f"# from the ticket\n{{to: {commit}}}\n") == commit


def test_a_number_of_an_unreadable_file_stays_a_number() -> None:
    assert written.as_written({"to": 1.1, "lock_wait": 5}, {}) == {"to": 1.1, "lock_wait": 5}
    assert written.as_written([1, 2], ["1"]) == [1, 2]


def test_every_input_is_the_same_text_in_each_way(tmp_path: Path) -> None:
    """Through Ansible: name=value, a file of YAML, one of JSON, a document behind -e, and the extravars of a runner."""
    names = sorted({one.name for known in own_procedures.everything(plain_yaml.load) for one in known.inputs})
    # More words than inputs, or the other way round: each word and each input has its turn.
    rounds = max(len(names), len(WORDS))
    given_words = [(names[place % len(names)], WORDS[place % len(WORDS)]) for place in range(rounds)]
    halves = [dict(given_words[: len(names)]), dict(given_words[len(names) :])]
    playbook = tmp_path / "show.yml"
    shown = {name: f"{{{{ lookup('ops.runbook.input', '{name}') }}}}" for name in names}
    playbook.write_text(
        json.dumps(
            [
                {
                    "hosts": "here",
                    "gather_facts": False,
                    "tasks": [
                        {
                            "ansible.builtin.copy": {
                                "content": "{{ found | to_json }}",
                                "dest": "{{ into }}",
                                "mode": "0600",
                            },
                            "vars": {"found": shown},
                        }
                    ],
                }
            ]
        )
    )
    inventory = tmp_path / "hosts.json"
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"all": {"hosts": {"here": local}}}))
    jobs, expected = {}, {}
    for number, typed in enumerate(half for half in halves if half):
        document = "".join(f"{name}: {word}\n" for name, word in typed.items())
        flow = "{" + ", ".join(f"{name}: {word}" for name, word in typed.items() if ":" not in word) + "}"
        files = {
            "file": document,
            "vars.yml": "---\n" + document,
            "unsafe.yml": document.replace(": ", ": !unsafe ", 99),
        }
        for name, text in files.items():
            (tmp_path / f"{number}-{name}").write_text(text)
        ways = {
            "words": [part for name, word in typed.items() for part in ("-e", f"{name}='{word}'")],
            "flow": ["-e", flow],
            **{name: ["-e", f"@{tmp_path}/{number}-{name}"] for name in files},
        }
        for way, options in ways.items():
            job = f"{number}-{way}"
            jobs[job] = ["-i", str(inventory), str(playbook), *options, "-e", f"into={tmp_path}/{job}.json"]
            expected[job] = {
                name: "" if way == "flow" and ":" in typed.get(name, "") else typed.get(name, "") for name in names
            }
    ran = run_all(jobs, tmp_path)
    assert {job: code for job, (code, text) in ran.items() if code} == {}, ran
    assert {job: json.loads((tmp_path / f"{job}.json").read_text()) for job in jobs} == expected
