"""Releases of applications that the sample application is not: each is a commit on top of one of its tags."""

from __future__ import annotations

import shlex

from lab import Lab

BARE = "/srv/git/vertex-laravel-api.git"
AUTHOR = "-c user.name=Ada -c user.email=ada@example.com -c protocol.file.allow=always"


def release(lab: Lab, tag: str, parent: str, change: str) -> None:
    """Tag a commit whose tree is its parent's after a few lines of shell, and push it."""
    work = f"/tmp/foreign-{tag}"
    lab.deploy(
        f"rm -rf {work} && git {AUTHOR} clone --quiet {BARE} {work} && cd {work} && git checkout --quiet {parent} && "
        f"{{ {change}; }} && git add --force --all && "
        f"git {AUTHOR} commit --quiet --allow-empty -m {shlex.quote(tag)} && "
        f"git {AUTHOR} tag -a -m {tag} {tag} && git push --quiet origin {tag} && rm -rf {work}"
    )


def numbered(tag: str) -> str:
    """The line of shell that gives a release its number."""
    return f"sed -i \"s/NUMBER = '.*'/NUMBER = '{tag.removeprefix('v')}'/\" app/Version.php"
