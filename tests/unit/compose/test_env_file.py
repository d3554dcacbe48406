"""Compose's .env is read as `docker compose` reads it, and only the values that were named change."""

from __future__ import annotations

import io
import json
import random
import string
from collections.abc import Mapping, Sequence

import dotenv
import pytest
from compose_program import COUNT, Folder, ask
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.compose import env_file
from ansible_collections.ops.runbook.plugins.module_utils.compose.env_file import Setting


def read_by_compose(texts: Sequence[str], keys: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """Values that Compose fills in for each key, from each text as a .env of its own."""
    folders = []
    for text, some in zip(texts, keys):
        services = {"a": {"image": "a", "environment": {key: f"${{{key}}}" for key in some}}}
        content = json.dumps({"name": "a", "services": services}).encode()
        folders.append(Folder({".env": text.encode(), "compose.yaml": content}))
    found = []
    for text, some, answer in zip(texts, keys, ask(folders)):
        assert answer.config is not None, (text, answer.said)
        environment = answer.services["a"]["environment"]
        # It doubles what the next reader would take for a variable.
        found.append({key: str(environment[key]).replace("$$", "$") for key in some})
    return found


def read_by_python_dotenv(text: str) -> Mapping[str, str | None]:
    """Values that a program reads that opens the file itself."""
    return dotenv.dotenv_values(stream=io.StringIO(text, newline=None))


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


def test_compose_reads_the_same() -> None:
    found = read_by_compose([text for text, _value in READ.values()], [["A"]] * len(READ))
    assert dict(zip(READ, found)) == {name: {"A": value} for name, (_text, value) in READ.items()}


@pytest.mark.parametrize("text", ["A=$B\n", "A=${B:-c}\n", 'A="$B"\n', "A=a$1\n"])
def test_a_value_made_of_variables_is_no_literal(text: str) -> None:
    assert value_of(text, "A") is None


NOT_READ = {
    "a word alone at the end": ("A=1\nB", 2, "not a key with its value"),
    "a space in a key": ("A B=1\n", 1, "not a key with its value"),
    "no key": ("=1\n", 1, "not a key with its value"),
    "an odd character": ("\n$A=1\n", 2, "not a key with its value"),
    "never closed": ("A='b\nB=1\n", 1, "a quote that is never closed"),
    "closed behind a backslash at the end": ("A=1\nB='b\\", 2, "a quote that is never closed"),
    "an escaped quote": ("A='b\\'", 1, "a quote that is never closed"),
    "something behind the quotes": ("B=1\nA='b'c\n", 2, "something follows the value of A on its line"),
    "a second setting on the line": ('A="b" B=c\n', 1, "something follows the value of A on its line"),
}


@pytest.mark.parametrize(("text", "line", "why"), NOT_READ.values(), ids=NOT_READ)
def test_an_ambiguous_line_is_named_without_its_value(text: str, line: int, why: str) -> None:
    with pytest.raises(env_file.NotRead) as caught:
        env_file.parse(text)
    assert (str(caught.value), caught.value.line) == (f"line {line}: {why}", line)


SETTINGS = {
    "nothing": ("", []),
    "only comments": ("# A=1\n \n#", []),
    "a value": ("A=bc\n", [Setting("A", 1, 2, 4, "", "bc")]),
    "an empty value": ("A=\nB=", [Setting("A", 1, 2, 2, "", ""), Setting("B", 2, 5, 5, "", "")]),
    "an inherited key": ("A\nB=1\n", [Setting("A", 1, 1, 1, inherited=True), Setting("B", 2, 4, 5, "", "1")]),
    "a value of variables": ("A=$B # c\n", [Setting("A", 1, 2, 4)]),
    "a value of variables in double quotes": ('A="$B"\n', [Setting("A", 1, 2, 6, '"')]),
    "single quotes": ("\n A = '$b' # c", [Setting("A", 2, 6, 10, "'", "$b")]),
    "double quotes on lines": (
        'A="b\nc"\nexport B=1',
        [Setting("A", 1, 2, 7, '"', "b\nc"), Setting("B", 3, 17, 18, "", "1")],
    ),
    "blanks of every kind": (
        "A\t\v\f\r \x85\xa0=\t\v\f\r \x85\xa0b\x85\n",
        [Setting("A", 1, 16, 17, "", "b")],
    ),
    "what looks like a comment": ("A= \t# b\n", [Setting("A", 1, 2, 2, "", "# b", looks_empty=True)]),
    "what looks like a comment and has a variable": ("A= # $b\n", [Setting("A", 1, 2, 2, looks_empty=True)]),
    "what begins with a hash": ("A= #b\n", [Setting("A", 1, 3, 5, "", "#b")]),
    "carriage returns": ("A=\r\nB=b\r\r\n", [Setting("A", 1, 2, 2, "", ""), Setting("B", 2, 6, 7, "", "b")]),
    "a byte order mark": ("\ufeffA=b", [Setting("A", 1, 3, 4, "", "b")]),
    "a key of every sign": ("a.b-c[0]_=d", [Setting("a.b-c[0]_", 1, 10, 11, "", "d")]),
    "an export with a tab": ("export\t A: b", [Setting("A", 1, 11, 12, "", "b")]),
    "a backslash at the end of the quotes": ("A='b\\\\'", [Setting("A", 1, 2, 7, "'", "b\\\\")]),
    "a quote of the other sort": (
        "A='\"'\nB=\"'\"",
        [Setting("A", 1, 2, 5, "'", '"'), Setting("B", 2, 8, 11, '"', "'")],
    ),
    "every escape": (
        'A="\\a\\b\\c\\f\\n\\r\\t\\v\\$\\\\\\""',
        [Setting("A", 1, 2, 26, '"', '\a\b\\c\f\n\r\t\v$\\"')],
    ),
    "octal": ('A="\\0101\\0\\018\\0189\\0198\\01011"', [Setting("A", 1, 2, 31, '"', "A\\0\\018\\0189\\0198A1")]),
}


@pytest.mark.parametrize(("text", "found"), SETTINGS.values(), ids=SETTINGS)
def test_the_settings_are(text: str, found: list[Setting]) -> None:
    assert env_file.parse(text) == found


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
    "an empty one before a carriage return": ("A=\r\nB=1\r\n", "x", "A=x\r\nB=1\r\n"),
    "an empty one with spaces before a carriage return": ("A=  \r\nB=1\r\n", "x", "A=  x\r\nB=1\r\n"),
    "an empty one before a carriage return at the end": ("A=\r", "x", "A=x\r"),
    "a dollar in double quotes": ('A="old" # why\n', "a$b", "A='a$b' # why\n"),
    "a dollar and a quote": ('A="old"\n', "it's-$5", "A='it\\'s-$5'\n"),
    "a dollar on lines": ("A=old\nB=1\n", "$a\nb", "A='$a\nb'\nB=1\n"),
    "a backslash": ('A="old"\n', "a\\b", "A='a\\b'\n"),
    "two backslashes": ("A='old'\n", "a\\\\b", 'A="a\\\\\\\\b"\n'),
    "what looks like a comment stays": ("A= # why\nB=1\n", "x", "A=x # why\nB=1\n"),
    "what looks like a comment stays, and an empty value": ("A=   # why\n", "", "A=''   # why\n"),
    "a value that begins with a hash": ("A= #word\nB=1\n", "x", "A= x\nB=1\n"),
}


@pytest.mark.parametrize(("text", "value", "expected"), WRITTEN.values(), ids=WRITTEN)
def test_a_value_is_written(text: str, value: str, expected: str) -> None:
    assert env_file.change(text, {"A": value}) == expected


def test_several_values_are_written_at_once() -> None:
    text = "A=1\nB='2' # b\nC\nD=4\nD=5\n"
    assert env_file.change(text, {"B": "x y", "A": "long one"}) == "A='long one'\nB='x y' # b\nC\nD=4\nD=5\n"


NOT_SET_ONCE = {
    "not there": ("B=1\n", "A, C"),
    "twice": ("A=1\nA=2\nC=1\nC=2\nD=1\nD=2\n", "A, C"),
    "one of them twice": ("A=1\nC=1\nC=2\n", "C"),
    "inherited": ("A\nC=1\n", "A"),
    "twice, and one that is missing": ("A=1\nA=2\n", "C"),
}


@pytest.mark.parametrize(("text", "named"), NOT_SET_ONCE.values(), ids=NOT_SET_ONCE)
def test_only_what_is_set_once_is_changed(text: str, named: str) -> None:
    with pytest.raises(KeyError) as caught:
        env_file.change(text, {"C": "x", "A": "x"})
    assert caught.value.args == (named,)


SPELLINGS = {
    # value, the quote that the file has, what is written
    "plain": ("aZ9_./:@%+,=^~-", "", "aZ9_./:@%+,=^~-"),
    "plain in single quotes": ("a", "'", "'a'"),
    "plain in double quotes": ("a", '"', '"a"'),
    "empty": ("", "", "''"),
    "a blank": ("a b", "", "'a b'"),
    "a blank in double quotes": ("a 'b'", '"', "\"a 'b'\""),
    "a double quote": ('a"b', '"', "'a\"b'"),
    "a dollar": ("a$b", '"', "'a$b'"),
    "a backslash": ("a\\b", '"', "'a\\b'"),
    "a line feed": ("a\nb", '"', '"a\\nb"'),
    "a carriage return": ("a\rb", '"', '"a\\rb"'),
    "a carriage return in no quotes": ("a\rb", "", '"a\\rb"'),
    "a single quote": ("a'b", "", '"a\'b"'),
    "both quotes": ("a'b\"", "", '"a\'b\\""'),
    "two backslashes": ("a\\\\b", "", '"a\\\\\\\\b"'),
    "a backslash before a quote": ("a\\'b", "", '"a\\\\\'b"'),
    "a backslash at the end": ("a\\", "'", '"a\\\\"'),
    "a dollar and a single quote": ("$a'b", "", "'$a\\'b'"),
    "a dollar and a line feed": ("$a\nb", "", "'$a\nb'"),
    "a dollar and a carriage return": ("$a\rb", "", '"\\$a\\rb"'),
    "a dollar and a backslash at the end": ("$a\\", "", '"\\$a\\\\"'),
    "a dollar and two backslashes": ("$a\\\\b", "", '"\\$a\\\\\\\\b"'),
}


@pytest.mark.parametrize(("value", "quote", "expected"), SPELLINGS.values(), ids=SPELLINGS)
def test_a_value_is_spelled(value: str, quote: str, expected: str) -> None:
    text = env_file.written(value, quote)
    assert text == expected
    assert value_of(f"A={text}\n", "A") == value


OTHERS = {
    "plain": ("a", ""),
    "a dollar": ("a$b", ""),
    "a brace behind a dollar": ("a${b", "python-dotenv takes `${` for a variable in any quotes"),
    "a dollar and a carriage return": ("$\r", "python-dotenv and Node keep the backslash before the dollar"),
    "a dollar and a backslash at the end": ("$\\", "python-dotenv and Node keep the backslash before the dollar"),
    "a carriage return": ("\r", ""),
}


@pytest.mark.parametrize(("value", "said"), OTHERS.values(), ids=OTHERS)
def test_the_value_that_other_readers_get_is_said(value: str, said: str) -> None:
    assert env_file.other_readers(value) == said


def test_a_null_byte_is_refused() -> None:
    with pytest.raises(ValueError) as caught:
        env_file.change("A=1\n", {"A": "a\0b"})
    assert str(caught.value) == "a value with a null byte"


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


def test_compose_reads_back_exactly_what_was_written() -> None:
    random_ = random.Random(7)
    drawn = [(made_up_value(random_), random_.choice(["", "'", '"'])) for _ in range(COUNT * 10)]
    keys = [f"K{number}" for number in range(len(drawn))]
    text = "".join(f"{key}={env_file.written(value, quote)}\n" for key, (value, quote) in zip(keys, drawn))
    assert read_by_compose([text], [keys]) == [{key: value for key, (value, _quote) in zip(keys, drawn)}]


def test_a_value_that_would_not_be_read_back_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last safeguard: whatever is wrong with the writer, the file stays as it is."""
    for wrong in ("other", "x\nB=2", "'x'\nC=3", '"x'):
        monkeypatch.setattr(env_file, "written", lambda _value, _quote, wrong=wrong: wrong)
        with pytest.raises(env_file.NotRead):
            env_file.change("A=1\nB=1\n", {"A": "x"})
    monkeypatch.setattr(env_file, "written", lambda _value, _quote: "other")
    with pytest.raises(env_file.NotRead) as caught:
        env_file.change("A=1\nB=1\n", {"A": "x"})
    assert (str(caught.value), caught.value.line) == ("line 0: what was written was not read back", 0)


# -- against other readers, over files that are made up -------------------------------------------

PIECES = [
    "a",
    "Z9",
    "-",
    " ",
    " #",
    "#",
    "$",
    "$$",
    "${A}",
    "'",
    '"',
    "\\",
    "\\n",
    "\n",
    "\t",
    "=",
    ":",
    "`",
    "ä",
    "日",
    "😀",
    "!",
]
OTHER_LINES = [
    "# a comment with KEY=value and 'quotes\n",
    "\n",
    "   \n",
    "PLAIN=word\n",
    "export EXPORTED=word\n",
    "SPACED =  some words here   \n",
    "SINGLE='it # is $HOME'  # why\n",
    'DOUBLE="a \\"b\\" \\\\ c"\n',
    'LINES="one\ntwo = 2\n# three"\n',
    "MORE_LINES='one\n\nFAKE=1'\n",
    "MADE=$PLAIN-${SINGLE:-x}\n",
    "EMPTY=\n",
    "EMPTY_SPACE=   \n",
    "EMPTY_NOTE= # nothing yet\n",
    "TWICE=1\n",
    "TWICE=2\n",
    "UNICODE=grüße-日本\n",
    "URL=postgres://u:p%40@db:5432/x?a=b#c\n",
    "WORDS=a b # c\n",
]


OLD_VALUES = ["", "old", "'old $x'", '"old"', '"o\\"l\\$d"', "'two\nlines'", "old words", "''", '""', "a'b", "  old"]


def made_up_value(random_: random.Random) -> str:
    return "".join(random_.choice(PIECES) for _ in range(random_.randint(0, 7)))


def made_up_file(random_: random.Random) -> tuple[str, str, str, str]:
    """A .env in odd clothes: what stands before the key's value, the value as it is written, the rest, a new value."""
    lines = random_.sample(OTHER_LINES, random_.randint(0, 6))
    before, after = lines[: len(lines) // 2], lines[len(lines) // 2 :]
    old = random_.choice([*OLD_VALUES, " # text"])
    new = random_.choice([made_up_value(random_), "p$a{b}#c d", "it's-$5", "S3cret/with+signs==", "a'b\"c"])
    start = random_.choice(["KEY=", "KEY=", "export KEY=", "KEY = ", "  KEY="])
    end = random_.choice(["\n", "\n", " # why\n", "  \n", ""])
    if old == " # text":
        start = random_.choice(["KEY=", "export KEY="])
    if not old or old == " # text":
        end = "\n"
    if not end:
        after = []
    head = "".join(before) + start
    line = random_.choice(["\n", "\r\n"])
    mark = random_.choice(["", "", "\ufeff"])
    head, old, rest = (part.replace("\n", line) for part in (mark + head, old, end + "".join(after)))
    return head, old, rest, new


def test_an_edit_is_read_by_compose_and_python_dotenv_as_it_was_meant() -> None:
    random_ = random.Random(11)
    files = [made_up_file(random_) for _ in range(COUNT * 3)]
    texts = [head + old + rest for head, old, rest, _new in files]
    changed = [env_file.change(text, {"KEY": new}) for text, (*_, new) in zip(texts, files)]
    keys = [list(dict.fromkeys(item.key for item in env_file.parse(text))) for text in texts]
    compose = list(zip(read_by_compose(texts, keys), read_by_compose(changed, keys)))
    served = 0
    for (head, old, rest, new), before, after, (was, now) in zip(files, texts, changed, compose):
        assert now == {**was, "KEY": new}, (before, after)
        kept_end = rest if not old.startswith(" # ") else old + rest
        assert after.startswith(head) and after.endswith(kept_end), (before, after)
        others, edited = dict(read_by_python_dotenv(before)), dict(read_by_python_dotenv(after))
        value = edited.pop("KEY")
        others.pop("KEY", None)
        if "\r" not in before or "\n" not in new:
            assert edited == others, (before, after)
        if env_file.other_readers(new):
            continue
        served += 1
        assert value == new, (before, after)
    assert served > len(files) / 3


def test_values_of_other_readers_are_known() -> None:
    """Only of these is one reader wrong, because no spelling serves both."""
    random_ = random.Random(13)
    for _ in range(COUNT * 50):
        value, quote = made_up_value(random_), random_.choice(["", "'", '"'])
        found = read_by_python_dotenv(f"KEY={env_file.written(value, quote)}\n")["KEY"]
        assert bool(env_file.other_readers(value)) or found == value, (value, quote)
    for value, text in {"a${B}c": "abc", "\\\\$": "backslash"}.items():
        assert env_file.other_readers(value), text
        assert read_by_python_dotenv(f"KEY={env_file.written(value)}\n")["KEY"] != value
