"""Reports of what only has properties, and the properties of an app or of all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from .core import LIB, Failure, apps, header, parse, read_state, refuse, replace, report, some_apps, state, verify

Values = Callable[[str], dict[str, str]]


def globals_of(plugin: str) -> dict[str, str]:
    path = LIB / "data/simulator/--global.properties"
    known = json.loads(path.read_text()) if path.exists() else {}
    return {str(key): str(value) for key, value in known.get(plugin, {}).items()}


def set_global(plugin: str, key: str, value: str) -> None:
    path = LIB / "data/simulator/--global.properties"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text()) if path.exists() else {}
    own = known.setdefault(plugin, {})
    own.pop(key, None)
    if value:
        own[key] = value
    replace(path, json.dumps(known))


def properties(app: str, plugin: str) -> dict[str, str]:
    return {key: str(value) for key, value in read_state(app).get(plugin, {}).items()}


def set_property(app: str, plugin: str, key: str, value: str) -> None:
    if app == "--global":
        set_global(plugin, key, value)
    else:
        with state(app) as known:
            own = known.setdefault(plugin, {})
            own.pop(key, None)
            if value:
                own[key] = value
    header(f"Setting {key} to {value}" if value else f"Unsetting {key}")


def three(app: str, plugin: str, names: str, defaults: dict[str, str]) -> dict[str, str]:
    """The three forms of most properties: the app's own, that of all apps, and the resulting one."""
    own, all_apps = properties(app, plugin), globals_of(plugin)
    values = {}
    for name in names.split():
        values[name] = own.get(name, "")
        values[f"global-{name}"] = all_apps.get(name, "")
        values[f"computed-{name}"] = own.get(name) or all_apps.get(name) or defaults.get(name, "")
    return values


def only_known(key: str, valid: str, what: str = "property", many: str = "properties") -> None:
    if key not in valid.split(", ") and not any(
        name.endswith("*") and key.startswith(name[:-1]) for name in valid.split(", ")
    ):
        raise Failure(f"Invalid {what} specified, valid {many} include: {valid}")


def reporter(plugin: str, values: Values, short: bool = False, title: str = "") -> Callable[[list[str]], None]:
    """`plugin:report`. Plugins written in Go tell each key twice in JSON; those in bash, here `short`, once."""

    def run(argv: list[str]) -> None:
        words, flags = parse(argv, "format=", lenient=True)
        if "global" in flags:
            refuse(f"{plugin}:report --global")
        if not words and not some_apps():
            return
        for app in [verify(words[0])] if words else apps():
            named = {f"{title or plugin}-{key}": value for key, value in values(app).items()}
            report(app, title or plugin, named, flags, short=short)

    return run


def app_and_pair(argv: list[str]) -> tuple[str, str, str]:
    app, key, value = (argv + ["", "", ""])[:3]
    return (app if app == "--global" else verify(app)), key, value


def words_of(text: str) -> list[str]:
    return re.split(r"\s+", text.strip()) if text.strip() else []
