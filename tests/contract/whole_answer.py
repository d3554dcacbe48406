"""An answer with all that GitHub's description requires of it, made of one that has only what a test is about.

So the description can judge the fake's answers without a word left out, and the modules see answers as full as
GitHub's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from description import template_of

Schema = Mapping[str, Any]

#: A text where only its form is told.
TEXTS = {
    "uri": "https://example.com/",
    "date-time": "2026-11-21T08:00:00Z",
    "date": "2026-11-21",
    "email": "anna@example.com",
}
#: What a value is in Python.
KINDS: dict[str, Any] = {
    "object": Mapping,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


class Completer:
    def __init__(self, description: Mapping[str, Any]) -> None:
        self._description = description

    def answer(self, method: str, path: str, status: int, body: Any) -> Any:
        """The body of an answer, completed. One that is not described stays as it is."""
        template = template_of(self._description, path)
        if template is None or body is None:
            return body
        responses = self._description["paths"][template].get(method.lower(), {}).get("responses", {})
        content = self._found(responses.get(str(status), {})).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        return body if schema is None else self.completed(schema, body)

    def _found(self, item: Schema) -> Schema:
        while "$ref" in item:
            found: Any = self._description
            for key in item["$ref"].removeprefix("#/").split("/"):
                found = found[key]
            item = found
        return item

    def completed(self, schema: Schema, value: Any) -> Any:
        schema = self._found(schema)
        for part in schema.get("allOf", ()):
            value = self.completed(part, value)
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            value = self.completed(min(choices, key=lambda choice: self._distance(choice, value)), value)
        if isinstance(value, list) and "items" in schema:
            return [self.completed(schema["items"], item) for item in value]
        if not isinstance(value, Mapping):
            return value
        properties = schema.get("properties", {})
        kept = {name: self.completed(properties.get(name, {}), item) for name, item in value.items()}
        needed = [name for name in schema.get("required", ()) if name not in kept]
        return {**kept, **{name: self.invented(properties.get(name, {})) for name in needed}}

    def invented(self, schema: Schema) -> Any:
        """The least that a schema allows."""
        schema = self._found(schema)
        if schema.get("nullable"):
            return None
        if "enum" in schema:
            return schema["enum"][0]
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return self.invented(choices[0])
        kind = schema.get("type")
        if kind == "array":
            return [self.invented(schema["items"])] * schema.get("minItems", 0)
        if kind == "string":
            return TEXTS.get(schema.get("format", ""), str(schema.get("example", "x" * schema.get("minLength", 1))))
        if kind in ("integer", "number"):
            return schema.get("minimum", 1)
        if kind == "boolean":
            return False
        return self.completed(schema, {})

    def _distance(self, schema: Schema, value: Any) -> int:
        """How far a value is from one of several forms: a type or a word that it can't have is furthest."""
        schema = self._found(schema)
        if value is None:
            return 0 if schema.get("nullable") else 100
        if "type" in schema and not isinstance(value, KINDS[schema["type"]]):
            return 100
        if "enum" in schema and value not in schema["enum"]:
            return 100
        if not isinstance(value, Mapping):
            return 0
        properties = schema.get("properties", {})
        return sum(
            self._distance(properties[name], item) if name in properties else 1 for name, item in value.items()
        ) + sum(1 for name in schema.get("required", ()) if name not in value)
