# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dependency_audit_info
short_description: Audit the locked dependencies of a checkout for known holes
version_added: 0.1.0
description:
  - Runs C(composer audit), C(npm audit) and C(pip-audit), each where the checkout has its lock file, and reads their
    reports. Their exit codes are not believed. Several end well without having asked anybody.
  - A tool that is not installed, was not answered, or left packages out makes its audit unknown, and never clean.
  - No script or plugin of the checkout is run, and nothing is installed.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
options:
  path:
    description: The checkout.
    type: path
    required: true
  composer:
    description: The C(composer) command.
    type: str
    default: composer
  npm:
    description: The C(npm) command.
    type: str
    default: npm
  pip_audit:
    description: The C(pip-audit) command.
    type: str
    default: pip-audit
  timeout:
    description: Seconds after which a tool is stopped.
    type: float
    default: 180
"""

EXAMPLES = r"""
- name: Look for holes in what the application is made of
  ops.runbook.dependency_audit_info:
    path: /srv/checkouts/vertex-laravel-api
  delegate_to: localhost
"""

RETURN = r"""
clean:
  description: Whether there was something to audit, and all of it is without known holes.
  returned: success
  type: bool
audits:
  description:
    - Each tool that the checkout has a lock file for. Keys are C(tool), C(file), C(state), which is V(clean),
      V(vulnerable) or V(unknown), C(packages), C(advisories), C(notes) and C(why).
    - An advisory has C(package), C(identifier), C(severity), C(title), C(affected) and C(fixed).
  returned: success
  type: list
  elements: dict
counts:
  description: Advisories by severity, which is V(critical), V(high), V(medium), V(low) or V(unknown).
  returned: success
  type: dict
"""

import os
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Commands
from ansible_collections.ops.runbook.plugins.module_utils.security import dependencies
from ansible_collections.ops.runbook.plugins.module_utils.security.dependencies import (
    CLEAN,
    TOOLS,
    UNKNOWN,
    Audit,
    Tool,
)


def audit(tool: Tool, command: str, path: str, timeout: float) -> Audit:
    """Run one tool in a checkout that has its lock file, and judge what it printed."""
    with open(os.path.join(path, tool.file), encoding="utf-8", errors="replace") as handle:
        locked = handle.read()
    try:
        ran = Commands(path, timeout=timeout).run([command, *tool.arguments], env=tool.environment, check=False)
    except CommandFailed as error:
        return Audit(tool.name, tool.file, UNKNOWN, 0, why=str(error))
    return dependencies.judged(tool, locked, ran.code, ran.stdout, ran.stderr)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "composer": {"type": "str", "default": "composer"},
            "npm": {"type": "str", "default": "npm"},
            "pip_audit": {"type": "str", "default": "pip-audit"},
            "timeout": {"type": "float", "default": 180},
        },
        supports_check_mode=True,
    )
    params = module.params
    path = params["path"]
    if not os.path.isdir(path):
        module.fail_json(msg=f"{path} is not a folder. Nothing was changed.", code="bad_input")
    try:
        audits = [
            audit(tool, params[tool.name.replace("-", "_")], path, params["timeout"])
            for tool in TOOLS
            if os.path.exists(os.path.join(path, tool.file))
        ]
    except OSError as error:
        module.fail_json(msg=f"{error.filename} can't be read: {error.strerror}")
    module.exit_json(
        changed=False,
        clean=bool(audits) and all(one.state == CLEAN for one in audits),
        audits=[asdict(one) for one in audits],
        counts=dependencies.counted(audits),
    )


if __name__ == "__main__":
    main()
