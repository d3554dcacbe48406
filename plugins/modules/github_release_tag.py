# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: github_release_tag
short_description: Tag a release on GitHub, where its checks are green
version_added: 0.1.0
description:
  - Makes a tag on a commit of an allowed branch, if the checks of exactly that commit are green and the tag is not
    there. A tag that is there is never moved; on the same commit nothing changes.
  - No working tree has part in it, so none can be dirty.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.github
  - ops.runbook.github.repository
  - ops.runbook.github.record
options:
  tag:
    description: Name of the tag.
    type: str
    required: true
  branch:
    description: The branch that has the commit.
    type: str
    default: main
  commit:
    description: The commit, with all 40 characters. Without it the newest of O(branch) when the module begins.
    type: str
    default: ""
  annotation:
    description: With a message the tag is an annotated one.
    type: str
    default: ""
  branches:
    description: Patterns of branches that releases are tagged on.
    type: list
    elements: str
    default: [main, release/*]
  required_checks:
    description:
      - Names of the checks that must have succeeded on the commit. Without any, all that ran count, and one at least
        must have succeeded.
      - A check is a check run (GitHub Actions, apps) or a commit status (the contexts of CircleCI, Jenkins, Vercel).
    type: list
    elements: str
    default: []
attributes:
  idempotent:
    details: Where O(branch) has moved on and O(commit) is not given, it fails with V(tag_exists).
"""

EXAMPLES = r"""
- name: Tag the release
  ops.runbook.github_release_tag:
    repository: example/shop
    tag: v1.4.0
    annotation: Release 1.4.0
    required_checks: [test, build]
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: What differed. Keys are C(subject), C(before) and C(after); an empty text stands for "not set".
  returned: success
  type: list
  elements: dict
requests:
  description: The request that made the tag, or in check mode would.
  returned: success
  type: list
  elements: str
  sample: ["POST /repos/example/shop/git/refs"]
commit:
  description: The commit that has the tag, or in check mode would.
  returned: success
  type: str
code:
  description:
    - Stable name of what was refused or failed, such as V(tag_exists), V(not_green), V(not_on_branch) or
      V(branch_not_allowed).
  returned: failure
  type: str
ways:
  description: Each way forward. Its key C(input) is what to give or type, C(effect) what that does.
  returned: failure
  type: list
  elements: dict
"""

import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.module import run
from ansible_collections.ops.runbook.plugins.module_utils.github import module as github_module
from ansible_collections.ops.runbook.plugins.module_utils.github.release_tag import ReleaseTag, TagPresent, Wanted


def release_tag(params: Mapping[str, Any]) -> ReleaseTag:
    return ReleaseTag(
        Wanted(
            repository=params["repository"],
            tag=params["tag"],
            branch=params["branch"],
            commit=params["commit"],
            message=params["annotation"],
            branches=tuple(params["branches"]),
            checks=tuple(params["required_checks"]),
        )
    )


def described(present: TagPresent) -> dict[str, Any]:
    return {"commit": present.commit}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **github_module.CHANGE,
            "tag": {"type": "str", "required": True},
            "branch": {"type": "str", "default": "main"},
            "commit": {"type": "str", "default": ""},
            "annotation": {"type": "str", "default": ""},
            "branches": {"type": "list", "elements": "str", "default": ["main", "release/*"]},
            "required_checks": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    run(
        module,
        lambda: github_module.settle(
            module.params, "release_tag", release_tag, module.check_mode, open_url, os.environ, described
        ),
    )


if __name__ == "__main__":
    main()
