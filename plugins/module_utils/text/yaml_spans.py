# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The place of each value in a YAML text, so that one value can be replaced without changing any other byte.

It runs on hosts without a YAML library. It refuses a shape that it does not read for sure, and names the line, so that
a text is either understood as every YAML parser does, or not touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

#: Shapes that hardly anybody writes, and in which parsers differ, are refused rather than guessed at.
_MARKER = re.compile(r"(?:^|(?<=\A\ufeff))(---|\.\.\.)(?=[ \t\r\n]|\Z)", re.M)
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TAG = re.compile(r"![A-Za-z0-9_!:./-]*")
#: The tag that other tools write for a plain `<<`; every parser reads both as a merge key.
_MERGE = re.compile(r"!!merge[ \t]+(?=<<[ \t]*:)")
_HEADER = re.compile(r"[|>](?:[+-]?([1-9])?|([1-9])[+-])[ \t]*(?:(?<=[ \t])#[^\r\n]*)?(?=\r?\n|\Z)")
_NOT_FIRST = frozenset(",[]{}#&*!|>'\"%@`")
_FLOW = frozenset(",[]{}")
_BLANK = frozenset(" \t\r\n")
#: Letters that may begin a key in YAML, and are read here as a value only.
_ODD_KEYS = {"*": "an alias as a key", "{": "a collection as a key", "[": "a collection as a key"}


class NotRead(Exception):
    """This text has a shape that is not read for sure. line: where, from 1."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line
        self.why = why


@dataclass(eq=False)
class Node:
    """One value. start, end: its span, without anchor and tag.

    kind: scalar, alias, mapping or sequence. style: plain, single, double, block, flow or empty.
    value: of a scalar, as far as it needs no decoding; None where it has escapes or several lines.
    """

    kind: str
    start: int
    end: int
    style: str = ""
    value: str | None = None
    anchor: str = ""
    tag: str = ""
    entries: list[tuple[Node, Node]] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)
    target: Node | None = None

    def children(self) -> Iterator[Node]:
        for key, value in self.entries:
            yield key
            yield value
        yield from self.items

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in the order of the text; an alias is not followed."""
        yield self
        for child in self.children():
            yield from child.walk()


def line_of(text: str, position: int) -> int:
    """The number of the line on which a position is, from 1."""
    return text.count("\n", 0, position) + 1


def documents(text: str) -> list[Node]:
    """The documents of a YAML text that have a value. Raises NotRead."""
    odd = re.search("\r(?!\n)|[\x00\x85\u2028\u2029]", text)
    if odd:
        # Parsers do not agree on which of these end a line.
        raise NotRead(line_of(text, odd.start()), f"the character {odd.group()!r}")
    found: list[Node] = []
    begin = 1 if text.startswith("\ufeff") else 0
    for marker in [*_MARKER.finditer(text, begin), None]:
        node = _Reader(text, begin, marker.start() if marker else len(text)).document()
        if node is not None:
            found.append(node)
        if marker:
            begin = marker.end()
            if not re.compile(r"[ \t]*(?:[ \t]#[^\n]*)?\r?(?:\n|\Z)").match(text, begin):
                raise NotRead(line_of(text, begin), "a value on the line of a document marker")
    for node in found:
        _link(text, node)
    return found


def _link(text: str, root: Node) -> None:
    """Lead each alias to its value: the last one before it with that anchor."""
    anchors: dict[str, Node] = {}
    for node in root.walk():
        if node.anchor:
            anchors[node.anchor] = node
        if node.kind == "alias":
            if node.value not in anchors:
                raise NotRead(line_of(text, node.start), f"*{node.value} stands for nothing above it")
            target = anchors[node.value or ""]
            if target.start <= node.start < target.end:
                raise NotRead(line_of(text, node.start), f"*{node.value} stands for something that it is a part of")
            node.target = target


class _Reader:
    """Reads one document, from begin to end."""

    def __init__(self, text: str, begin: int, end: int) -> None:
        self.text = text
        self.begin = begin
        self.end = end
        self.pos = begin

    def fail(self, why: str, position: int | None = None) -> NotRead:
        return NotRead(line_of(self.text, self.pos if position is None else position), why)

    # -- where things are ------------------------------------------------------------------------

    def _char(self, position: int) -> str:
        """The character at a position; a line end behind the last one."""
        return self.text[position] if position < self.end else "\n"

    def _line_start(self, position: int) -> int:
        return max(self.text.rfind("\n", 0, position) + 1, self.begin)

    def _line_end(self, position: int) -> int:
        found = self.text.find("\n", position, self.end)
        end = self.end if found < 0 else found
        return end - 1 if end > position and self.text[end - 1] == "\r" else end

    def _column(self) -> int:
        return self.pos - self._line_start(self.pos)

    def _skip(self) -> bool:
        """To the next thing that is neither blank nor comment; False where the document ends before one."""
        while self.pos < self.end:
            char = self.text[self.pos]
            if char in _BLANK:
                self.pos += 1
            elif char == "#" and (self.pos == self.begin or self.text[self.pos - 1] in _BLANK):
                self.pos = self._line_end(self.pos)
            else:
                before = self.text[self._line_start(self.pos) : self.pos]
                if "\t" in before and not before.strip(" \t"):
                    raise self.fail("a tab in the indentation")
                return True
        return False

    def _is_mark(self, char: str, position: int) -> bool:
        """True if this character is alone there, as `- ` and `: ` are."""
        return self._char(position) == char and self._char(position + 1) in _BLANK

    def _must_end_line(self) -> None:
        rest = self.text[self.pos : self._line_end(self.pos)]
        if rest.strip(" \t") and not re.match(r"[ \t]+#", rest):
            raise self.fail("something behind the end of a value")

    # -- block style -----------------------------------------------------------------------------

    def document(self) -> Node | None:
        if not self._skip():
            return None
        if self.text[self.pos] == "%":
            raise self.fail("a directive")
        self.pos = self.begin
        node = self._value(-1, compact=True)
        if self._skip():
            raise self.fail("an indentation that fits nothing above it")
        return node

    def _value(self, parent: int, compact: bool, dash: bool = False) -> Node:
        """The value after a key, a dash or the start of a document.

        parent: the column of the key or dash that it belongs to. compact: a collection may begin on this line.
        dash: a sequence may begin in the parent's own column, as below a key.
        """
        begin, anchor, tag, marked = self.pos, "", "", -1
        while True:
            here = self._line_start(begin)
            if not self._skip() or (self._line_start(self.pos) != here and not self._belongs(parent, dash)):
                self.pos = begin
                return Node("scalar", begin, begin, "empty", "", anchor, tag)
            char = self.text[self.pos]
            if char not in "&!" or _MERGE.match(self.text, self.pos, self.end):
                break
            marked = self._line_start(self.pos)
            if char == "&" and not anchor:
                anchor = self._name()
            elif char == "!" and not tag:
                tag = self._tag()
            else:
                raise self.fail("two anchors or two tags at one value")
            begin = self.pos
            compact = compact or self._line_start(begin) != here
        on_own_line = self._line_start(self.pos) != here
        node = self._content(parent, compact or on_own_line, marked == self._line_start(self.pos))
        return self._marked(node, anchor, tag)

    def _marked(self, node: Node, anchor: str, tag: str) -> Node:
        if node.kind == "alias" and (anchor or tag):
            raise self.fail("an anchor or a tag at an alias")
        node.anchor, node.tag = anchor, tag
        return node

    def _belongs(self, parent: int, dash: bool) -> bool:
        column = self._column()
        return column > parent or (dash and column == parent and self._is_mark("-", self.pos))

    def _content(self, parent: int, compact: bool, marked: bool) -> Node:
        """The value at this position. marked: an anchor or a tag precedes it on its line."""
        char = self.text[self.pos]
        if self._is_mark("-", self.pos):
            if not compact or marked:
                raise self.fail("a sequence that begins on the line of its key")
            return self._sequence(self._column())
        if self._is_mark("?", self.pos):
            raise self.fail("a key after a question mark")
        if char in "|>":
            return self._block_scalar(parent)
        if char not in "*{[" and self._colon() >= 0:
            if marked:
                raise self.fail("an anchor or a tag before a key")
            if not compact:
                raise self.fail("a mapping that begins on the line of its key")
            return self._mapping(self._column())
        if char == "*":
            node = self._alias()
        elif char in "{[":
            node = self._flow()
        elif char in "'\"":
            node = self._quoted()
        else:
            return self._plain(parent)
        if char in _ODD_KEYS and re.compile(r"[ \t]*:(?=[ \t\r\n]|\Z)").match(self.text, self.pos, self.end):
            raise self.fail(_ODD_KEYS[char])
        self._must_end_line()
        return node

    def _colon(self) -> int:
        """The place of the colon after the key that begins here; -1 if no key begins here."""
        position, end = self.pos, self._line_end(self.pos)
        if self.text[position] in "'\"":
            position = self._closing(position)
            while position < end and self.text[position] in " \t":
                position += 1
            return position if position < end and self._is_mark(":", position) else -1
        while position < end:
            if self._is_mark(":", position):
                return position
            if self.text[position] == "#" and self.text[position - 1] in " \t":
                return -1
            position += 1
        return -1

    def _mapping(self, column: int) -> Node:
        node = Node("mapping", self.pos, self.pos)
        while True:
            if self.text[self.pos] in _ODD_KEYS:
                raise self.fail(_ODD_KEYS[self.text[self.pos]])
            colon = self._colon()
            if colon < 0:
                raise self.fail("not a key with its colon")
            key = self._key(colon)
            self.pos = colon + 1
            node.entries.append((key, self._value(column, compact=False, dash=True)))
            node.end = self.pos
            if not self._next(column):
                return node

    def _key(self, colon: int) -> Node:
        if self.text[self.pos] in "'\"":
            return self._quoted()
        merge = _MERGE.match(self.text, self.pos, self.end)
        if merge:
            self.pos = merge.end()
        name = self.text[self.pos : colon].rstrip(" \t")
        if not name or name[0] in _NOT_FIRST or self._is_mark("-", self.pos) or self._is_mark("?", self.pos):
            raise self.fail("a key of another shape than a name")
        return Node("scalar", self.pos, self.pos + len(name), "plain", name)

    def _sequence(self, column: int) -> Node:
        node = Node("sequence", self.pos, self.pos)
        while True:
            self.pos += 1
            node.items.append(self._value(column, compact=True))
            node.end = self.pos
            if not self._next(column) or not self._is_mark("-", self.pos):
                self.pos = node.end
                return node

    def _next(self, column: int) -> bool:
        """To the next entry in this column; False where the collection has ended."""
        end = self.pos
        if not self._skip() or self._column() < column:
            self.pos = end
            return False
        if self._column() > column or self._line_start(self.pos) == self._line_start(end):
            raise self.fail("an indentation that fits nothing above it")
        return True

    def _plain(self, parent: int) -> Node:
        """A value without quotes, which may go on in lines that are indented deeper."""
        start = self.pos
        if self.text[start] in _NOT_FIRST or self._is_mark(":", start):
            raise self.fail(f"a value that begins with {self.text[start]}")
        commented = self._plain_line()
        end, several = self.pos, False
        while not commented:
            self.pos = self._line_end(self.pos)
            begin = self.pos
            while self.pos < self.end and self.text[self.pos] in _BLANK:
                self.pos += 1
            indentation = self.text[self._line_start(self.pos) : self.pos]
            if self.pos >= self.end or self.text[self.pos] == "#" or len(indentation) <= parent or self.pos == begin:
                break
            if "\t" in indentation:
                raise self.fail("a tab in the indentation")
            commented = self._plain_line()
            end, several = self.pos, True
        self.pos = end
        return Node("scalar", start, end, "plain", None if several else self.text[start:end])

    def _plain_line(self) -> bool:
        """To the end of what this line holds of a plain value; whether a comment ends it."""
        line = self.text[self.pos : self._line_end(self.pos)]
        comment = re.search(r"[ \t]#", line)
        said = (line[: comment.start()] if comment else line).rstrip(" \t")
        if re.search(r":(?:[ \t]|$)", said):
            raise self.fail("a colon in a value without quotes")
        self.pos += len(said)
        return comment is not None

    def _block_scalar(self, parent: int) -> Node:
        header = _HEADER.match(self.text, self.pos, self.end)
        if not header:
            raise self.fail("the head of a block of text")
        digit = header.group(1) or header.group(2)
        # A collection at the start of a document has no parent, and its text needs no indentation.
        needed = max(parent, 0) + int(digit) if digit else 0
        start, end = self.pos, header.end()
        position = self.text.find("\n", end, self.end) + 1
        while 0 < position < self.end:
            stop = self.text.find("\n", position, self.end)
            stop = self.end if stop < 0 else stop
            line = self.text[position:stop].rstrip("\r")
            indentation = len(line) - len(line.lstrip(" "))
            if line.strip(" "):
                needed = needed or max(indentation, parent + 1)
                if indentation < needed:
                    break
                end = position + len(line)
            position = stop + 1
        self.pos = end
        return Node("scalar", start, end, "block")

    # -- what block and flow style share ---------------------------------------------------------

    def _name(self) -> str:
        found = _NAME.match(self.text, self.pos + 1, self.end)
        if not found or self._char(found.end()) not in _BLANK | _FLOW:
            raise self.fail("the name of an anchor or an alias")
        self.pos = found.end()
        return found.group()

    def _tag(self) -> str:
        found = _TAG.match(self.text, self.pos, self.end)
        if not found or self._char(found.end()) not in _BLANK:
            raise self.fail("a tag of another shape than ! and a name")
        self.pos = found.end()
        return found.group()

    def _alias(self) -> Node:
        start = self.pos
        name = self._name()
        return Node("alias", start, self.pos, "", name)

    def _closing(self, start: int) -> int:
        """The position behind the quote that closes the one at start."""
        quote, position = self.text[start], start + 1
        while position < self.end:
            char = self.text[position]
            if char == "\\" and quote == '"':
                position += 2
            elif char == quote:
                if quote == '"' or self._char(position + 1) != "'":
                    return position + 1
                position += 2
            else:
                position += 1
        raise self.fail("a quote that is never closed", start)

    def _quoted(self) -> Node:
        start = self.pos
        self.pos = self._closing(start)
        inner = self.text[start + 1 : self.pos - 1]
        if self.text[start] == "'":
            return Node("scalar", start, self.pos, "single", None if "\n" in inner else inner.replace("''", "'"))
        return Node("scalar", start, self.pos, "double", None if "\n" in inner or "\\" in inner else inner)

    # -- flow style ------------------------------------------------------------------------------

    def _flow(self) -> Node:
        """A collection in brackets or braces."""
        closing = "}" if self.text[self.pos] == "{" else "]"
        node = Node("mapping" if closing == "}" else "sequence", self.pos, self.pos, "flow")
        self.pos += 1
        while True:
            if self._flow_char() == closing:
                break
            item = self._flow_value()
            follows = self._flow_char()
            if closing == "}":
                merge = item.tag == "!!merge" and item.value == "<<" and item.style == "plain"
                if item.kind != "scalar" or item.anchor or (item.tag and not merge):
                    raise self.fail("a key of another shape than a name")
                value = Node("scalar", self.pos, self.pos, "empty", "")
                if follows == ":":
                    self.pos += 1
                    if self._flow_char() not in ",}":
                        value = self._flow_value()
                    follows = self._flow_char()
                node.entries.append((item, value))
            else:
                node.items.append(item)
            if follows == ",":
                self.pos += 1
            elif follows != closing:
                raise self.fail(f"{follows!r} in brackets")
        self.pos += 1
        node.end = self.pos
        return node

    def _flow_char(self) -> str:
        if not self._skip():
            raise self.fail("brackets that are never closed")
        return self.text[self.pos]

    def _flow_value(self) -> Node:
        anchor = tag = ""
        while self._flow_char() in "&!":
            if self.text[self.pos] == "&" and not anchor:
                anchor = self._name()
            elif self.text[self.pos] == "!" and not tag:
                tag = self._tag()
            else:
                raise self.fail("two anchors or two tags at one value")
        char = self._flow_char()
        if char == "*":
            node = self._alias()
        elif char in "{[":
            node = self._flow()
        elif char in "'\"":
            node = self._quoted()
        else:
            node = self._flow_plain()
        return self._marked(node, anchor, tag)

    def _flow_plain(self) -> Node:
        start, position = self.pos, self.pos
        if self.text[start] in _NOT_FIRST or any(self._is_mark(mark, start) for mark in "-?:"):
            raise self.fail(f"{self.text[start]!r} in brackets")
        while position < self.end:
            char = self.text[position]
            if char in _FLOW or (char == ":" and self._char(position + 1) in _BLANK | _FLOW):
                break
            if char == "#" and self.text[position - 1] in _BLANK:
                break
            position += 1
        said = self.text[start:position].rstrip(" \t\r\n")
        if not said:
            raise self.fail("a value is missing in brackets")
        self.pos = start + len(said)
        return Node("scalar", start, self.pos, "plain", None if "\n" in said else said)
