# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dokku_letsencrypt
short_description: Give a Dokku app a certificate of Let's Encrypt
version_added: 0.1.0
description:
  - Asks for a certificate where the app has none, where it has expired, or where it is not for all its domains. One
    that is good is not asked for again, since Let's Encrypt counts.
  - Says how many days it has left.
author: ops.runbook contributors (@ops-runbook)
extends_documentation_fragment:
  - ops.runbook.dokku.call
  - ops.runbook.dokku_app
options:
  state:
    description:
      - V(enabled) or V(disabled) for the certificate. V(unchanged) leaves it, for O(email) or O(auto_renew) alone.
    type: str
    choices: [enabled, disabled, unchanged]
    default: enabled
  email:
    description: Address for the account at Let's Encrypt. Empty leaves what is set for the app or the server.
    type: str
    default: ""
  auto_renew:
    description:
      - Whether a cron job of the server renews the certificates of all its apps. Without it they are not renewed. Not
        given leaves it as it is, with a warning.
    type: bool
notes:
  - The domains of the app must lead to this host, and port 80 of it must be reached from outside.
seealso:
  - module: ops.runbook.dokku_domains
"""

EXAMPLES = r"""
- name: Have a certificate, and have it renewed
  ops.runbook.dokku_letsencrypt:
    app: shop
    email: ops@example.com
    auto_renew: true
"""

RETURN = r"""
changes:
  description: What differed. Keys are C(subject), C(before) and C(after); an empty text stands for "not set".
  returned: success
  type: list
  elements: dict
  sample:
    - subject: certificate
      before: ""
      after: "from Let's Encrypt"
commands:
  description: The calls that were made, or in check mode would be made.
  returned: success
  type: list
  elements: str
  sample: ["dokku letsencrypt:enable shop"]
code:
  description: Stable name of what was refused or failed, such as V(app_missing) or V(not_issued).
  returned: failure
  type: str
ways:
  description: Each way forward. Its key C(input) is what to give or type, C(effect) what that does.
  returned: failure
  type: list
  elements: dict
active:
  description: Whether the app has a certificate of Let's Encrypt.
  returned: success
  type: bool
expires:
  description: When it expires, in seconds since the epoch; V(null) without one.
  returned: success
  type: int
days_left:
  description: Full days until then; V(null) without one.
  returned: success
  type: int
  sample: 61
auto_renew:
  description: Whether the cron job is there.
  returned: success
  type: bool
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.module import run
from ansible_collections.ops.runbook.plugins.module_utils.dokku import module as dokku_module
from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import CALL
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.letsencrypt import (
    LetsencryptPresent,
    LetsencryptState,
)


def wanted(params: Mapping[str, Any]) -> LetsencryptState:
    state = "" if params["state"] == "unchanged" else params["state"]
    return LetsencryptState(params["app"], state, params["email"], params["auto_renew"])


def described(present: LetsencryptPresent) -> dict[str, Any]:
    return {
        "active": present.active,
        "expires": present.expires if present.active else None,
        "days_left": present.days_left,
        "auto_renew": present.auto_renew,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CALL,
            "state": {"type": "str", "choices": ["enabled", "disabled", "unchanged"], "default": "enabled"},
            "email": {"type": "str", "default": ""},
            "auto_renew": {"type": "bool"},
        },
        supports_check_mode=True,
    )
    run(module, lambda: dokku_module.settle(module.params, wanted, module.check_mode, described))


if __name__ == "__main__":
    main()
