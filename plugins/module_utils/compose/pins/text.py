# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pinning the images of a compose file: the references change, and no other byte."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.text import yaml_spans
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from ansible_collections.ops.runbook.plugins.module_utils.text.yaml_spans import Node, line_of

#: Letters of an image reference; none of them means anything to YAML, or to Compose's variables.
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*")

#: A text that no YAML reads as a number, a time or a truth value, and so needs no quotes.
_SURELY_TEXT = re.compile(r"[A-Za-z0-9._:@+-]+/.+|[A-Za-z][A-Za-z0-9._-]*(?:[:@].+)?")

#: Words that some YAML reads as a truth value or as nothing.
_OTHER_WORDS = frozenset("y n yes no on off true false null".split())

_OVERRIDE = ("compose_pin=override", "leaves the compose file as it is, and pins in a file of its own beside it")


class CannotPin(Problem):
    """An image can't be pinned in this text."""

    def __init__(self, code: str, text: str, ways: Sequence[tuple[str, str]] = (_OVERRIDE,)) -> None:
        super().__init__(code, text, ways)


class ServiceIncluded(CannotPin):
    """The text has no such service, and includes other files, which may have it. paths: as they are written."""

    def __init__(self, service: str, line: int, paths: Sequence[str]) -> None:
        super().__init__(
            "service_included",
            f"the compose file has no service {service} itself: line {line} includes {', '.join(paths)}, and no pin is "
            "written into an included file",
        )
        self.service = service
        self.paths = tuple(paths)


@dataclass(frozen=True)
class _Image:
    """The place of a service's image. aliases: those on the way to it, by which others share it."""

    node: Node
    aliases: tuple[Node, ...] = ()


def images(text: str) -> dict[str, str]:
    """The image of each service that has one, as it is written; variables stay variables. Raises CannotPin."""
    compose = _Compose(text)
    found: dict[str, str] = {}
    for service in compose.services():
        image = compose.image(service)
        if image is None or image.node.style == "empty":
            continue
        if image.node.value is None:
            raise CannotPin(
                "pin_shape", f"line {compose.line(image.node)}: the image of {service} has escapes or several lines"
            )
        found[service] = image.node.value
    return found


def line_of_image(text: str, service: str) -> int:
    """The line on which the image of a service is written; 0 where it has none here. Raises CannotPin."""
    compose = _Compose(text)
    found = compose.image(service)
    return 0 if found is None else compose.line(found.node)


def services(text: str) -> list[str]:
    """The names of the services. Raises CannotPin."""
    return _Compose(text).services()


def pin(text: str, references: Mapping[str, str]) -> str:
    """The text with other images for the named services. Raises CannotPin; then it can't be done surely."""
    compose = _Compose(text)
    edits: dict[Node, str] = {}
    for service, reference in references.items():
        if not _REFERENCE.fullmatch(reference):
            raise CannotPin("bad_reference", f"{reference!r} is not an image reference", ())
        image = compose.must_be_editable(service)
        compose.must_be_its_own(service, image, references)
        if image.node.value != reference:
            edits[image.node] = _written(image.node, reference)
    for node in sorted(edits, key=lambda item: item.start, reverse=True):
        text = text[: node.start] + edits[node] + text[node.end :]
    read = images(text)
    wrong = sorted(service for service, reference in references.items() if read.get(service) != reference)
    if wrong:
        raise CannotPin("pin_shape", f"the image of {', '.join(wrong)} was not read back as it was written")
    return text


def pin_files(texts: Sequence[str], references: Mapping[str, str]) -> list[str]:
    """The same for the files of one project, in Compose's order: the last that names an image decides."""
    wanted: list[dict[str, str]] = [{} for _ in texts]
    for service, reference in references.items():
        naming = [number for number, text in enumerate(texts) if service in images(text)]
        there = [number for number, text in enumerate(texts) if service in services(text)]
        including = [number for number, text in enumerate(texts) if _Compose(text).included()[1]]
        wanted[(naming or there or including or [0])[-1]][service] = reference
    return [pin(text, some) if some else text for text, some in zip(texts, wanted)]


def override(references: Mapping[str, str]) -> str:
    """A compose file that says nothing but these images. Raises CannotPin."""
    lines = ["services:\n" if references else "services: {}\n"]
    for service, reference in sorted(references.items()):
        if not _REFERENCE.fullmatch(reference):
            raise CannotPin("bad_reference", f"{reference!r} is not an image reference", ())
        lines += [f'  "{service}":\n', f"    image: {_plain(reference)}\n"]
    return "".join(lines)


def _plain(reference: str) -> str:
    plain = _SURELY_TEXT.fullmatch(reference) and reference.lower() not in _OTHER_WORDS
    return reference if plain else f'"{reference}"'


def _written(node: Node, reference: str) -> str:
    """The reference in the quotes that were there."""
    quote = {"single": "'", "double": '"'}.get(node.style)
    return f"{quote}{reference}{quote}" if quote else _plain(reference)


class _Compose:
    """A compose file as Compose reads it: later documents over earlier ones, merge keys and extends followed."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self.documents = yaml_spans.documents(text)
        except yaml_spans.NotRead as error:
            raise CannotPin("pin_shape", f"the compose file is not read for sure, {error}") from error
        self._tables = [self._services(document) for document in self.documents]

    def line(self, node: Node) -> int:
        return line_of(self.text, node.start)

    def services(self) -> list[str]:
        return list(dict.fromkeys(name for table in self._tables for name in table))

    def included(self) -> tuple[int, list[str]]:
        """The files that `include:` names, as they are written, and its line; 0 and none without it."""
        for document in self.documents:
            found = self._lookup(document, "include") if _aim(document).kind == "mapping" else None
            if found is not None and _aim(found.node).kind == "sequence":
                listed = _aim(found.node)
                paths = [path for item in listed.items for path in self._paths(_aim(item))]
                if paths:
                    return self.line(listed), paths
        return 0, []

    def _paths(self, item: Node) -> list[str]:
        """The files that one entry of `include:` names: a file, or files below `path`."""
        if item.kind == "mapping":
            own = self._own(item)
            return self._paths(_aim(own["path"])) if "path" in own else []
        if item.kind == "sequence":
            return [path for one in item.items for path in self._paths(_aim(one))]
        return [item.value] if item.value else []

    def _services(self, document: Node) -> dict[str, _Image]:
        """The services of one document; _Image here holds the whole service."""
        found = self._lookup(document, "services")
        if found is None or _aim(found.node).style == "empty":
            return {}
        return {name: self._must_find(found.node, name) for name in self._names(found.node)}

    def _must_find(self, mapping: Node, name: str) -> _Image:
        found = self._lookup(mapping, name)
        if found is None:
            raise KeyError(name)
        return found

    def _own(self, mapping: Node) -> dict[str, Node]:
        """The keys that a mapping has itself."""
        own: dict[str, Node] = {}
        for key, value in mapping.entries:
            if key.value is None:
                raise CannotPin("pin_shape", f"line {self.line(key)}: a key with escapes")
            if key.value in own:
                raise CannotPin("pin_shape", f"line {self.line(key)}: the key {key.value} is there twice", ())
            own[key.value] = value
        return own

    def _mapping(self, node: Node) -> Node:
        target = _aim(node)
        if target.kind != "mapping":
            raise CannotPin("pin_shape", f"line {self.line(target)}: a mapping was expected")
        return target

    def _merged(self, own: Mapping[str, Node]) -> list[Node]:
        """Nodes that the merge key brings in, the strongest first."""
        merge = own.get("<<")
        if merge is None:
            return []
        target = _aim(merge)
        return target.items if target.kind == "sequence" else [merge]

    def _names(self, node: Node) -> list[str]:
        own = self._own(self._mapping(node))
        names = [name for name in own if name != "<<"]
        for source in self._merged(own):
            names += self._names(source)
        return list(dict.fromkeys(names))

    def _lookup(self, node: Node, name: str) -> _Image | None:
        """A key of a mapping, its own or merged into it, and the aliases on the way."""
        aliases = (node,) if node.kind == "alias" else ()
        own = self._own(self._mapping(node))
        if name in own:
            return _Image(own[name], aliases)
        for source in self._merged(own):
            found = self._lookup(source, name)
            if found is not None:
                return _Image(found.node, aliases + found.aliases)
        return None

    def image(self, service: str) -> _Image | None:
        """The place of a service's image: in the last document that names it."""
        for table in reversed(self._tables):
            found = self._image_in(table, service, ())
            if found is not None:
                return found
        return None

    def _image_in(self, table: Mapping[str, _Image], service: str, seen: tuple[str, ...]) -> _Image | None:
        if service not in table or service in seen or _aim(table[service].node).style == "empty":
            return None
        body = table[service].node
        found = self._lookup(body, "image")
        if found is not None:
            aliases = (*found.aliases, found.node) if found.node.kind == "alias" else found.aliases
            return _Image(_aim(found.node), aliases)
        extended = self._lookup(body, "extends")
        base = self._same_file(extended.node) if extended else None
        return self._image_in(table, base, (*seen, service)) if base else None

    def _same_file(self, extends: Node) -> str | None:
        """The service of this file that is extended; None where it is in another file."""
        target = _aim(extends)
        if target.kind == "scalar":
            return target.value
        named = self._own(self._mapping(target))
        return _aim(named["service"]).value if "service" in named and "file" not in named else None

    def must_be_editable(self, service: str) -> _Image:
        """The place of a service's image, if it can be replaced there."""
        tables = [table for table in self._tables if service in table]
        line, paths = self.included()
        if not tables and paths:
            raise ServiceIncluded(service, line, paths)
        if not tables:
            known = ", ".join(self.services()) or "none"
            raise CannotPin(
                "service_missing",
                f"the compose file has no service {service}; it has {known}",
                (("compose_images", "in the inventory, names the services as the compose file does"),),
            )
        image = self.image(service)
        if image is None or image.node.style == "empty":
            bodies = [table[service].node for table in tables]
            raise self._no_image(
                service, {key for body in bodies if _aim(body).style != "empty" for key in self._names(body)}
            )
        node = image.node
        odd = _odd(node)
        if odd or node.value is None:
            raise CannotPin("pin_shape", f"line {self.line(node)}: the image of {service} {odd}")
        if "$" in node.value:
            raise CannotPin(
                "image_variable",
                f"line {self.line(node)}: the image of {service} is made of a variable, {node.value}: a pin in its "
                "place would switch off whatever sets that variable",
            )
        return image

    def _no_image(self, service: str, keys: set[str]) -> CannotPin:
        if "build" in keys:
            return CannotPin(
                "no_image",
                f"service {service} has build: and no image:, so there is no release of it to pin",
                (("image: <registry>/<name>:<tag>", f"in the compose file, at service {service}"),),
            )
        if "extends" in keys:
            return CannotPin(
                "no_image", f"service {service} gets no image from this file: it gets it by extends, from another file"
            )
        return CannotPin("no_image", f"service {service} has no image: in this file")

    def must_be_its_own(self, service: str, image: _Image, references: Mapping[str, str]) -> None:
        """Raise CannotPin where replacing this text would change more than was asked for."""
        reference = references[service]
        ways: set[Node] = set()
        for other in self.services():
            found = self.image(other)
            if found is None or found.node is not image.node:
                continue
            if references.get(other) != reference:
                raise CannotPin(
                    "image_shared",
                    f"line {self.line(image.node)}: the image of {service} is also that of {other}, which would change "
                    "with it",
                )
            ways.update(found.aliases)
        for document in self.documents:
            for node in document.walk():
                if node.kind == "alias" and node.target is image.node and node not in ways:
                    raise CannotPin(
                        "image_shared",
                        f"line {self.line(node)}: *{node.value} uses the image of {service} elsewhere, which would "
                        "change with it",
                    )


def _odd(node: Node) -> str:
    """Why the text of an image is not replaced in its place; empty if it can be."""
    if node.kind != "scalar":
        return "is not a text"
    if node.tag not in ("", "!", "!!str"):
        return f"has the tag {node.tag}"
    if node.style == "block":
        return "is written as a block of text"
    if node.value is None:
        return "is written with escapes or on several lines"
    return ""


def _aim(node: Node) -> Node:
    """The node itself, or the target of its alias."""
    return node.target if node.target is not None else node
