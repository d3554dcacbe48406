"""Compose's .env is read as `docker compose` reads it, and only the values that were named change."""

from __future__ import annotations

import json
import os
import shlex
import string
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils import env_file

#: `docker compose`, or what runs it: OPS_RUNBOOK_COMPOSE="docker run --rm -v /tmp:/tmp <image> docker compose".
COMPOSE = shlex.split(os.environ.get("OPS_RUNBOOK_COMPOSE", "docker compose"))


def has_compose() -> bool:
    try:
        return subprocess.run([*COMPOSE, "version"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def read_by_compose(folder: Path, text: str, keys: list[str]) -> dict[str, str]:
    """What Compose fills in for each key."""
    (folder / ".env").write_bytes(text.encode())
    services = {"a": {"image": "a", "environment": {key: f"${{{key}}}" for key in keys}}}
    (folder / "compose.yaml").write_text(json.dumps({"name": "a", "services": services}))
    command = [*COMPOSE, "--project-directory", str(folder), "-f", str(folder / "compose.yaml"), "config"]
    ran = subprocess.run([*command, "--format", "json"], check=True, capture_output=True, text=True)
    found = json.loads(ran.stdout)["services"]["a"]["environment"]
    # It doubles what the next reader would take for a variable.
    return {key: str(found[key]).replace("$$", "$") for key in keys}


READ = {
    "plain": ("A=b\n", "b"),
    "no final newline": ("A=b", "b"),
    "spaces around": ("  A =  b c  \n", "b c"),
    "export": ("export A=b\n", "b"),
    "a key called export": ("export=b\nA=c\n", "c"),
    "as in YAML": ("A: b\n", "b"),
    "empty": ("A=\nB=c\n", ""),
    "a comment": ("A=b # c\n", "b"),
    "a hash without space": ("A=b#c\n", "b#c"),
    "single quotes": ("A='b $c # d' # e\n", "b $c # d"),
    "single quotes with a backslash": ("A='b\\n\\\\c'\n", "b\\n\\\\c"),
    "a quote in single quotes": ("A='it\\'s'\n", "it's"),
    "double quotes": ('A="b # \\"c\\" \\\\ \\$d $$e"\n', 'b # "c" \\ $d $e'),
    "escapes": ('A="a\\nb\\tc\\rd"\n', "a\nb\tc\rd"),
    "no escape": ('A="a\\qb\\x41"\n', "a\\qb\\x41"),
    "octal": ('A="a\\0101"\n', "aA"),
    "several lines": ('A="b\n\nc=d\n# e"\nB=1\n', "b\n\nc=d\n# e"),
    "single quotes on lines": ("A='b\nB=c'\n", "b\nB=c"),
    "crlf": ("B=1\r\nA=b\r\nC=2\r\n", "b"),
    "crlf in quotes": ('A="b"\r\n', "b"),
    "a byte order mark": ("\ufeffA=b\n", "b"),
    "doubled dollars": ("A=b$$c\n", "b$c"),
    "quotes within": ("A=b\"c'd\n", "b\"c'd"),
    "the last of two": ("A=b\nA=c\n", "c"),
    "behind a comment": ("# A=x\n#\n\nA=b\n", "b"),
    "a tab before a hash": ("A=b\t#c\n", "b\t#c"),
}


def value_of(text: str, key: str) -> str | None:
    return {setting.key: setting.literal for setting in env_file.parse(text)}[key]


@pytest.mark.parametrize(("text", "value"), READ.values(), ids=READ)
def test_a_value_is_read(text: str, value: str) -> None:
    assert value_of(text, "A") == value


@pytest.mark.skipif(not has_compose(), reason="docker compose is not there")
@pytest.mark.parametrize(("text", "value"), READ.values(), ids=READ)
def test_compose_reads_the_same(tmp_path: Path, text: str, value: str) -> None:
    assert read_by_compose(tmp_path, text, ["A"]) == {"A": value}


@pytest.mark.parametrize("text", ["A=$B\n", "A=${B:-c}\n", 'A="$B"\n', "A=a$1\n"])
def test_a_value_made_of_variables_is_no_literal(text: str) -> None:
    assert value_of(text, "A") is None


NOT_READ = {
    "a word alone at the end": ("A=1\nB", 2),
    "a space in a key": ("A B=1\n", 1),
    "no key": ("=1\n", 1),
    "an odd character": ("\n$A=1\n", 2),
    "never closed": ("A='b\nB=1\n", 1),
    "something behind the quotes": ("B=1\nA='b'c\n", 2),
    "a second setting on the line": ('A="b" B=c\n', 1),
}


@pytest.mark.parametrize(("text", "line"), NOT_READ.values(), ids=NOT_READ)
def test_what_is_not_sure_names_the_line_and_no_value(text: str, line: int) -> None:
    with pytest.raises(env_file.NotRead, match=f"^line {line}: ") as caught:
        env_file.parse(text)
    assert "b" not in str(caught.value).partition(": ")[2].replace("behind", "").replace("by", "").split()


def test_an_inherited_key_has_no_value() -> None:
    found = env_file.parse("A\nB=1\n")
    assert [(item.key, item.inherited, item.literal) for item in found] == [("A", True, None), ("B", False, "1")]


def test_duplicates_are_named() -> None:
    assert env_file.duplicates(env_file.parse("A=1\nB=2\nexport A=3\nB: 4\nC=5\n")) == ["A", "B"]


WRITTEN = {
    "plain stays plain": ("A=old # why\n", "new", "A=new # why\n"),
    "quotes stay": ("A='old'\nB=\"x\"\n", "new", "A='new'\nB=\"x\"\n"),
    "double quotes stay": ('A = "old" # why\n', 'a"$b\\', 'A = "a\\"\\$b\\\\" # why\n'),
    "a hash is quoted": ("A=old\n", "a #b", "A='a #b'\n"),
    "a dollar is quoted": ("A=old\n", "a$b", "A='a$b'\n"),
    "a single quote": ("A='old'\n", "it's", 'A="it\'s"\n'),
    "lines": ("A=old\r\n", "a\nb", 'A="a\\nb"\r\n'),
    "empty": ("A=\nB=1\n", "", "A=''\nB=1\n"),
    "an empty one is filled": ("A=\nB=1\n", "x", "A=x\nB=1\n"),
    "one of several lines": ('A="a\nb"\nB=1', "x", 'A="x"\nB=1'),
}


@pytest.mark.parametrize(("text", "value", "expected"), WRITTEN.values(), ids=WRITTEN)
def test_a_value_is_written(text: str, value: str, expected: str) -> None:
    assert env_file.change(text, {"A": value}) == expected


@pytest.mark.parametrize("text", ["B=1\n", "A=1\nA=2\n", "A\n"])
def test_only_what_is_set_once_is_changed(text: str) -> None:
    with pytest.raises(KeyError, match="A"):
        env_file.change(text, {"A": "x"})


def test_a_null_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="null"):
        env_file.change("A=1\n", {"A": "a\0b"})


characters = st.one_of(
    st.sampled_from(list("'\"\\$# \n\r\t{}=:`!%") + ["$$", "\\n", "${A}", " #", "\\'", "ä", "a"]),
    st.sampled_from(string.ascii_letters + string.digits),
)
values = st.lists(characters, max_size=12).map("".join)
lines = st.sampled_from(
    [
        "# A=1\n",
        "\n",
        "X=1\n",
        "Y='it # is'\n",
        'Z="two\nlines" # x\n',
        "export V=$X # y\n",
        "  U : w \r\n",
        "T=\n",
        "S\n",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(lines, max_size=4, unique=True),
    st.lists(lines, max_size=4, unique=True),
    values,
    values,
    st.sampled_from(["", "'", '"']),
    st.sampled_from(["\n", "\r\n", " # why\n", ""]),
)
def test_only_the_named_value_changes(
    before: list[str], after: list[str], old: str, new: str, quote: str, end: str
) -> None:
    head, tail = "".join(before) + "A=", end + ("".join(after) if end else "")
    text = head + env_file.written(old, quote) + tail
    assert value_of(text, "A") == old
    changed = env_file.change(text, {"A": new})
    assert changed.startswith(head) and changed.endswith(tail)
    assert value_of(changed, "A") == new
    assert env_file.change(changed, {"A": new}) == changed
    assert [item.key for item in env_file.parse(changed)] == [item.key for item in env_file.parse(text)]


@pytest.mark.skipif(not has_compose(), reason="docker compose is not there")
@settings(max_examples=6, deadline=None)
@given(st.lists(st.tuples(values, st.sampled_from(["", "'", '"'])), min_size=60, max_size=120))
def test_compose_reads_back_exactly_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, str]]
) -> None:
    keys = [f"K{number}" for number in range(len(drawn))]
    text = "".join(f"{key}={env_file.written(value, quote)}\n" for key, (value, quote) in zip(keys, drawn))
    found = read_by_compose(tmp_path_factory.mktemp("env"), text, keys)
    assert found == {key: value for key, (value, _quote) in zip(keys, drawn)}
