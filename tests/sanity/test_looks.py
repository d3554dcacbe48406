"""Decisions that hang on one cheap look are made in one place, and a printed list survives a shell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from code_files import RULES, called

ROOT = Path(__file__).resolve().parents[2]

#: A question that one file or one variable does not answer, the pattern of asking it so, and who may.
CHEAP_LOOKS = {
    "an application keeps its maintenance where it wants to: laravel/health.py asks it": (
        re.compile(r"""["']framework["'],\s*["']down["']|framework/down"""),
        {"laravel/health.py", "laravel/probe.py"},
    ),
    "without a unit there are workers too: a unit decides what is verified, and never what is done": (
        re.compile(r"\bqueue_unit\b"),
        {
            "laravel/service.py",
            "laravel/options.py",
            "laravel/health.py",
            "laravel/status/judge.py",
            "laravel/steps.py",
        },
    ),
    "a link may be a stranger's: held_path, laravel/layout and release_folders know which are ours": (
        re.compile(r"""islink\([^)]*\):\s*\n\s*return ["']was so already["']"""),
        set(),
    ),
    "a list that is typed goes through a shell: ways.given quotes it": (
        re.compile(r"""["'][a-z_]+=\[(?!\\)"""),
        set(),
    ),
}


def strangers(question: str, sources: dict[str, str]) -> list[str]:
    """The files that ask it so, and may not."""
    pattern, allowed = CHEAP_LOOKS[question]
    return [name for name, source in sources.items() if name not in allowed and pattern.search(source)]


@pytest.mark.parametrize("question", CHEAP_LOOKS)
def test_a_cheap_look_decides_nothing(question: str) -> None:
    sources = {called(path): path.read_text() for path in RULES}
    assert strangers(question, sources) == []


@pytest.mark.parametrize(
    ("question", "source"),
    list(
        zip(
            CHEAP_LOOKS,
            (
                'os.path.exists(self.service.file("storage", "framework", "down"))',
                "queue = [RESTART] if description.queue_unit else []",
                'if os.path.islink(here):\n    return "was so already"',
                """way = (f"laravel_shared=['{path}']", "shares it")""",
            ),
        )
    ),
)
def test_a_cheap_look_is_seen(question: str, source: str) -> None:
    assert strangers(question, {"laravel/new.py": source}) == ["laravel/new.py"]
