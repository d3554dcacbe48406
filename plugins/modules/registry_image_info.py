# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_image_info
short_description: Say whether images are in their registry
version_added: 0.1.0
description:
  - Asks each image's registry for its manifest. No engine is needed and nothing is downloaded.
  - An image is there, or is not, or is unknown because the registry refuses or can't be reached. GHCR refuses for an
    image that does not exist as for one that the login may not see.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.look
options:
  images:
    description: The images, with a tag or a digest.
    type: list
    elements: str
    required: true
  username:
    description: Login of the registry; for GHCR that of the owner of O(password).
    type: str
    default: ""
  password:
    description: Password or token of O(username), from a vault. For GHCR a classic token with C(read:packages).
    type: str
    default: ""
  registry:
    description:
      - The registry that O(username) and O(password) are of, such as V(ghcr.io). Others are asked without a login.
      - Empty means the one registry of O(images) that has no login in O(logins); where there are several of them, it
        is required.
    type: str
    default: ""
  logins:
    description:
      - Logins of registries, each sent to its own registry alone. A registry without one is asked without a login.
    type: list
    elements: dict
    default: []
    suboptions:
      registry:
        description: Host of the registry, such as V(ghcr.io), with its port where it has one.
        type: str
        required: true
      username:
        description: User at this registry.
        type: str
        required: true
      password:
        description: Password or token of that user, from a vault.
        type: str
        required: true
      token_host:
        description:
          - Host that the registry sends to for a token, where that is another one, such as V(gitlab.example.com) of a
            GitLab of your own. Docker Hub's, GitLab's and DigitalOcean's are known.
          - No other host is sent the login.
        type: str
        default: ""
  others:
    description:
      - Images that are not asked for, and count where it is decided which registry O(username) and O(password) are of,
        such as those of another task with the same login.
    type: list
    elements: str
    default: []
  plain_http:
    description: Whether the registry is asked without encryption, as one on the own machine.
    type: bool
    default: false
  validate_certs:
    description: Whether the certificate of the registry is verified.
    type: bool
    default: true
  timeout:
    description: Seconds after which one request counts as lost.
    type: float
    default: 30
"""

EXAMPLES = r"""
- name: Look whether the images of a commit are published
  ops.runbook.registry_image_info:
    images:
      - ghcr.io/example/shop-backend:sha-abc1234
      - ghcr.io/example/shop-worker:sha-abc1234
    username: robot
    password: "{{ vault_registry_token }}"
  delegate_to: localhost

- name: Look for images of two registries, each with its login
  ops.runbook.registry_image_info:
    images:
      - ghcr.io/example/shop-backend:sha-abc1234
      - registry.example.com/shop/worker:sha-abc1234
    logins:
      - registry: ghcr.io
        username: robot
        password: "{{ vault_ghcr_token }}"
      - registry: registry.example.com
        username: shop
        password: "{{ vault_registry_password }}"
  delegate_to: localhost
"""

RETURN = r"""
complete:
  description: Whether all of them are there.
  returned: success
  type: bool
images:
  description:
    - Each image. Keys are C(image), C(state), which is V(present), V(missing) or V(unknown), C(digest) and C(why).
  returned: success
  type: list
  elements: dict
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ansible_collections.ops.runbook.plugins.module_utils.docker import registry_login
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import BadReference
from ansible_collections.ops.runbook.plugins.module_utils.docker.registry import PRESENT, Registry, logins_for
from ansible_collections.ops.runbook.plugins.module_utils.docker.registry_login import BadLogin
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "images": {"type": "list", "elements": "str", "required": True},
            "username": {"type": "str", "default": ""},
            "password": {"type": "str", "default": "", "no_log": True},
            "registry": {"type": "str", "default": ""},
            "logins": {
                # Its passwords are secrets; the list is not.
                "no_log": False,
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    **registry_login.OPTIONS,
                    "token_host": {"type": "str", "default": "", "no_log": False},
                },
            },
            "others": {"type": "list", "elements": "str", "default": []},
            "plain_http": {"type": "bool", "default": False},
            "validate_certs": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        registry = Registry(
            open_url,
            logins_for(
                [*params["images"], *params["others"]],
                params["logins"],
                params["username"],
                params["password"],
                params["registry"],
            ),
            params["plain_http"],
            params["validate_certs"],
            params["timeout"],
        )
        found = [registry.look(image) for image in params["images"]]
    except (BadReference, BadLogin) as error:
        module.fail_json(msg=shown(str(error)))
    module.exit_json(
        changed=False, complete=all(one.state == PRESENT for one in found), images=[asdict(one) for one in found]
    )


if __name__ == "__main__":
    main()
