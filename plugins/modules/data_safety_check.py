# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: data_safety_check
short_description: Find commands that destroy data in a checkout
version_added: 0.1.0
description:
  - Reads what builds, tests, deploys and schedules an application, and reports each command that destroys
    data, such as C(migrate:fresh), C(db:wipe), C(alembic downgrade base), C(docker compose down -v) or
    C(git clean -fdx). The same list stops such commands everywhere in this collection.
  - It reads C(composer.json), C(package.json), C(app.json) and other JSON, workflows, pipelines, manifests, playbooks
    and other YAML, TOML, Dockerfiles, shell, batch and PowerShell scripts, Makefiles, justfiles, Procfiles, crontabs,
    Jenkinsfiles, systemd units, Envoy, Terraform, and programs in PHP, JavaScript, TypeScript, Python and Ruby.
    RV(kinds) says how many of each were read.
  - It skips C(vendor), C(node_modules), C(.git), virtual environments, migrations, documentation, and files and
    directories of tests. RV(left_out) counts them. Links are not followed. RV(clean) is said only of what was read.
  - Variables of the same file are put in where they are used. Words such as C(migrate:fresh) or C(down -v) count
    whatever the program before them is called.
  - In a pipeline, a command is not a finding if its own job makes the database (a service of the job, SQLite in memory,
    C(APP_ENV=testing), C(docker compose up) before it) and nothing says that it reaches another host.
  - Comments, echoed texts and descriptions are not findings. In doubt, a command is one.
  - "A command that runs against disposable data is waived by the comment C(ops-runbook: disposable) on its
    line, or on a comment line directly above. JSON has no comments, so scripts are waived by name, in
    C(extra.ops-runbook.disposable) of C(composer.json) and C(ops-runbook.disposable) of C(package.json)."
  - Findings are a result, not a failure.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
options:
  path:
    description: Directory of the checkout.
    type: path
    required: true
seealso:
  - module: ops.runbook.health_check
"""

EXAMPLES = r"""
- name: Read a checkout
  ops.runbook.data_safety_check:
    path: /srv/checkouts/vertex-laravel-api
  register: safety

- name: Stop where it holds a command that destroys data
  ansible.builtin.assert:
    that: safety.clean
"""

RETURN = r"""
clean:
  description: Whether something was read, nothing was found and nothing was left unread.
  returned: success
  type: bool
  sample: false
findings:
  description: Commands that destroy data, by file.
  returned: success
  type: list
  elements: dict
  contains:
    file:
      description: File, relative to O(path).
      type: str
      sample: deploy.sh
    line:
      description: Line on which the command begins.
      type: int
      sample: 12
    rule:
      description: Id of the rule that it breaks.
      type: str
      sample: laravel-migrate-fresh
    why:
      description: What the command destroys.
      type: str
      sample: drops every table, with all data, and migrates an empty database
    instead:
      description: What to do instead.
      type: str
      sample: php artisan migrate --force
    excerpt:
      description: The line, shortened, without what looks like a password.
      type: str
      sample: php artisan migrate:fresh --seed
    where:
      description: Name of the script in a JSON file, empty elsewhere.
      type: str
      sample: post-install-cmd
waived:
  description: Commands that a comment declares to run against disposable data. Keys as in RV(findings).
  returned: success
  type: list
  elements: dict
unread:
  description: Files that should have been read and could not be. With one of them, RV(clean) is false.
  returned: success
  type: list
  elements: dict
  contains:
    file:
      description: File, relative to O(path).
      type: str
      sample: composer.json
    why:
      description: Why it could not be read.
      type: str
      sample: it is not valid JSON
files:
  description: Files that were read, relative to O(path).
  returned: success
  type: list
  elements: str
  sample: [composer.json, deploy.sh]
kinds:
  description: How many files were read, by the way in which they were read.
  returned: success
  type: dict
  version_added: 0.1.0
  sample: {composer: 1, shell: 1}
left_out:
  description:
    - How many files were not read, by their ending, or by their name where they have none. They are documentation,
      pictures, locks, migrations, and of forms that the check does not know.
  returned: success
  type: dict
  version_added: 0.1.0
  sample: {.md: 4, .png: 12}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.destructive.scan import (
    DestructiveScanError,
    Scan,
    scan_checkout,
)
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown


def report(scan: Scan) -> dict[str, Any]:
    """The result of the module."""
    return {
        "clean": scan.clean,
        "findings": [item.to_dict() for item in scan.findings],
        "waived": [item.to_dict() for item in scan.waived],
        "unread": [item.to_dict() for item in scan.unread],
        "files": sorted(scan.files),
        "kinds": scan.kinds,
        "left_out": scan.left_out,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "required": True}},
        supports_check_mode=True,
    )
    try:
        scan = scan_checkout(module.params["path"])
    except (DestructiveScanError, OSError) as error:
        module.fail_json(msg=shown(f"path: {error}"), code="bad_input")
    module.exit_json(changed=False, **report(scan))


if __name__ == "__main__":
    main()
