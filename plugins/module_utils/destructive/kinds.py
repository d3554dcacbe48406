# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a checkout that are scanned, and the reader for each."""

from __future__ import annotations

import re

from ansible_collections.ops.runbook.plugins.module_utils.destructive.words import program_of

SKIPPED_DIRECTORIES = frozenset(
    ".git .hg .svn vendor node_modules bower_components tests test __tests__ spec specs testing fixtures __fixtures__ "
    "e2e cypress .venv venv __pycache__ .tox .nox .mypy_cache .terraform .gradle target _build deps .next .nuxt".split()
)

_BY_NAME = {
    "composer.json": "composer",
    "package.json": "package",
    "app.json": "app",
    "Envoy.blade.php": "blade",
    "Makefile": "makefile",
    "makefile": "makefile",
    "GNUmakefile": "makefile",
    "justfile": "justfile",
    "Justfile": "justfile",
    ".justfile": "justfile",
    "Procfile": "procfile",
    "crontab": "shell",
    "supervisord.conf": "unit",
    "Jenkinsfile": "groovy",
    "Rakefile": "ruby",
    "rakefile": "ruby",
    "Capfile": "ruby",
    "Fastfile": "ruby",
    "Vagrantfile": "text",
    "Earthfile": "text",
    "Caddyfile": "text",
    "captain-definition": "json",
    ".envrc": "shell",
    ".bashrc": "shell",
    ".profile": "shell",
}
#: In this order: documentation and locks first, then how deployments are written, then any file of a language.
_BY_PATTERN = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"(.*/)?(CHANGELOG|CHANGES|README|LICENSE|LICENCE|NOTICE|AUTHORS|CONTRIBUTING|COPYING)[^/]*\Z", None),
        (r"(.*/)?(docs?|documentation|lang|locales?|translations|i18n)/.*\.(ya?ml|json|toml|php)\Z", None),
        (
            r"(.*/)?(composer|package-lock|yarn|pnpm-lock|npm-shrinkwrap|Cargo|poetry|uv|flake)\.(lock|json|yaml)\Z",
            None,
        ),
        (r"(.*/)?\.github/(ISSUE_TEMPLATE|PULL_REQUEST_TEMPLATE|DISCUSSION_TEMPLATE)/.*\Z", None),
        (r"(.*/)?\.github/(dependabot|labeler|stale|release|FUNDING|CODEOWNERS|settings)\.ya?ml\Z", None),
        (r"(.*/)?(openapi|swagger)[^/]*\.(ya?ml|json)\Z", None),
        (r"(.*/)?resources/views/.*\Z", None),
        (r"(.*/)?(database/migrations|migrations|alembic/versions|db/migrate|versions)/.*\.(php|py|rb|[jt]s)\Z", None),
        (r"(.*/)?(Dockerfile[^/]*|[^/]+\.[Dd]ockerfile|Containerfile[^/]*)\Z", "dockerfile"),
        (r"(.*/)?Makefile\.[^/]+\Z", "makefile"),
        (r"(.*/)?Procfile\.[^/]+\Z", "procfile"),
        (r"(.*/)?Jenkinsfile[^/]*\Z", "groovy"),
        (r"(.*/)?[^/]+\.(mk|mak)\Z", "makefile"),
        (r"(.*/)?[^/]+\.just\Z", "justfile"),
        (r"(.*/)?[^/]+\.(sh|bash|zsh|ksh|cron|fish|command|bats)\Z", "shell"),
        (r"(.*/)?[^/]+\.(bat|cmd)\Z", "batch"),
        (r"(.*/)?[^/]+\.(ps1|psm1)\Z", "powershell"),
        (r"(.*/)?[^/]+\.(service|timer)\Z", "unit"),
        (r"(.*/)?supervisor[^/]*/[^/]+\.(conf|ini)\Z", "unit"),
        (r"(.*/)?\.ebextensions/[^/]+\.config\Z", "yaml"),
        (r"(.*/)?[^/]+\.blade\.php\Z", None),
        (r"(.*/)?[^/]+\.ya?ml(\.dist|\.j2|\.tpl|\.tmpl)?\Z", "yaml"),
        (r"(.*/)?[^/]+\.toml\Z", "toml"),
        (r"(.*/)?[^/]+\.(json|jsonc|json5)\Z", "json"),
        (r"(.*/)?[^/]+\.(php|phtml|inc)\Z", "php"),
        (r"(.*/)?[^/]+\.([cm]?[jt]s|[jt]sx)\Z", "javascript"),
        (r"(.*/)?[^/]+\.py\Z", "python"),
        (r"(.*/)?[^/]+\.(rb|rake|cap|gemspec)\Z", "ruby"),
        (r"(.*/)?[^/]+\.(groovy|gradle|kts)\Z", "groovy"),
        (r"(.*/)?[^/]+\.(tf|tfvars|hcl|nomad|pkr|nix|bicep|jsonnet|cue|earth|dsl|tpl|j2|tmpl|cfg|ini|conf)\Z", "text"),
    )
)
#: Programs of a deployment: all their strings count. Of other programs, only strings given to a function that runs one.
_DEPLOYMENT_CODE = re.compile(
    r"(.*/)?(app/Console/Kernel\.php|routes/console\.php|bootstrap/app\.php|deploy\.php|config/deploy(/.*)?\.rb|"
    r"(bin|scripts?|deploy|ops|\.deploy|deployment|deployer)/[^/]+|[^/]+\.(rake|cap)|Rakefile|rakefile|Capfile|fabfile\.py|"
    r"tasks\.py|noxfile\.py|dodo\.py|Jenkinsfile[^/]*)\Z"
)
_OF_TESTS = re.compile(
    r"(.*/)?((docker-)?compose[\w.-]*[._-](tests?|testing|ci|e2e)([._-][\w.-]*)?\.ya?ml|"
    r"[^/]*(_test|_spec|\.test|\.spec|Test|TestCase)\.(php|py|rb|[cm]?[jt]sx?|go)|test_[^/]*\.py|conftest\.py|"
    r"(tests?|ci|e2e)[._-][^/]*\.(sh|ya?ml)|[^/]*[._-](tests?|e2e)\.sh|phpunit[^/]*|jest[^/]*|cypress[^/]*)\Z"
)
_INTERPRETERS = {
    "sh": "shell",
    "bash": "shell",
    "dash": "shell",
    "ash": "shell",
    "zsh": "shell",
    "ksh": "shell",
    "php": "php",
    "node": "javascript",
    "python": "python",
    "ruby": "ruby",
    "pwsh": "powershell",
}


def kind_of(path: str, start: str = "") -> str | None:
    """How a file of a checkout is read: by its path (with C(/)) and, without a suffix, its first line."""
    name = path.rpartition("/")[2]
    if name in _BY_NAME:
        return _BY_NAME[name]
    for pattern, kind in _BY_PATTERN:
        if pattern.match(path):
            return kind
    if "." in name.lstrip("."):
        return None
    if start.startswith("#!"):
        first = start.splitlines()[0][2:].split()
        words = [word for word in first if not word.startswith("-")]
        if words and program_of(words[0]) == "env":
            words = words[1:]
        program = program_of(words[0]) if words else ""
        return _INTERPRETERS.get(program.rstrip("0123456789."))
    return "shell" if re.match(r"(.*/)?(bin|scripts?|hooks|cron\.d|\.husky)/[^/]+\Z", path) and start else None


def is_application(path: str) -> bool:
    """True if a program belongs to the application itself and not to its deployment."""
    return path != "" and "." in path.rpartition("/")[2] and _DEPLOYMENT_CODE.match(path) is None


def is_of_tests(path: str) -> bool:
    """True if a file belongs to tests by its name: a Compose file, a script or a program of them."""
    return _OF_TESTS.match(path) is not None


def ending_of(path: str) -> str:
    """The ending by which a file that was not read is counted: C(.md), or its whole name if it has no ending."""
    name = path.rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" if dot and stem else name
