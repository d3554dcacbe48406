"""Plugins of which only the report is wanted. A module for each would say the same seven times."""

from __future__ import annotations

from .core import Command, Failure, refuse
from .properties import app_and_pair, only_known, properties, reporter, set_property, three

LOGS = "app-label-alias max-size vector-cron-sink vector-image vector-networks vector-sink"
NETWORK = (
    "attach-post-create attach-post-deploy bind-all-interfaces computed-attach-post-create computed-attach-post-deploy "
    "computed-bind-all-interfaces=false computed-initial-network computed-tld global-attach-post-create "
    "global-attach-post-deploy global-bind-all-interfaces global-initial-network global-tld initial-network "
    "static-web-listener tld web-listeners"
)
REGISTRY = (
    "computed-image-repo computed-image-repo-template computed-push-extra-tags computed-push-on-release=false "
    "computed-server global-image-repo-template global-push-extra-tags global-push-on-release global-server "
    "image-repo image-repo-template push-extra-tags push-on-release server tag-version"
)
TABLE = {
    "network": NETWORK,
    "registry": REGISTRY,
    "scheduler": "computed-selected=docker-local computed-shell global-selected global-shell selected shell",
    "builder": "build-dir computed-build-dir computed-selected computed-skip-cleanup=false detected global-build-dir "
    "global-selected global-skip-cleanup selected skip-cleanup",
    "buildpacks": "computed-stack=gliderlabs/herokuish:latest-24 global-stack list stack",
    "app-json": "appjson-path computed-appjson-path=app.json global-appjson-path",
}


def table(plugin: str, app: str) -> dict[str, str]:
    values = dict((item + "=").split("=")[:2] for item in TABLE[plugin].split())
    if plugin == "registry":
        values["computed-image-repo"] = f"dokku/{app}"
        own = properties(app, "registry")
        values.update(own)
        values["computed-push-on-release"] = own.get("push-on-release", "false")
    if plugin == "builder":
        from .core import containers

        own = properties(app, "builder")
        values.update(own, detected="dockerfile" if containers(app) else "")
        values["computed-skip-cleanup"] = own.get("skip-cleanup", "false")
    return values


def changer(plugin: str, settable: str) -> Command:
    def run(argv: list[str]) -> None:
        app, key, value = app_and_pair(argv)
        if key not in settable.split():
            refuse(f"{plugin}:set {key}")
        set_property(app, plugin, key, value)

    return run


def logs_values(app: str) -> dict[str, str]:
    values = three(
        app,
        "logs",
        LOGS,
        {"app-label-alias": "com.dokku.app-name", "max-size": "10m", "vector-image": "timberio/vector:0.57.0-debian"},
    )
    # These two are the server's, not the app's.
    return {key: value for key, value in values.items() if key not in ("vector-image", "vector-networks")}


def logs_set(argv: list[str]) -> None:
    app, key, value = app_and_pair(argv)
    only_known(key, ", ".join(LOGS.split()))
    set_property(app, "logs", key, value)


def apps_set(argv: list[str]) -> None:
    app, key, value = app_and_pair(argv)
    only_known(key, "deploy-source, deploy-source-metadata, disable-autocreation")
    if key == "disable-autocreation" and app != "--global":
        raise Failure("Property can only be specified globally")
    refuse(f"apps:set {key}")


COMMANDS: dict[str, Command] = {
    "network:report": reporter("network", lambda app: table("network", app)),
    "registry:report": reporter("registry", lambda app: table("registry", app)),
    "registry:set": changer("registry", "push-on-release server image-repo"),
    "scheduler:report": reporter("scheduler", lambda app: table("scheduler", app)),
    "builder:report": reporter("builder", lambda app: table("builder", app)),
    "builder:set": changer("builder", "skip-cleanup"),
    "buildpacks:report": reporter("buildpacks", lambda app: table("buildpacks", app)),
    "app-json:report": reporter("app-json", lambda app: table("app-json", app)),
    "logs:report": reporter("logs", logs_values),
    "logs:set": logs_set,
    "apps:set": apps_set,
}
