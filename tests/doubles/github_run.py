"""Runs a module of GitHub in this process against the fake, and keeps the token and the secrets in sight."""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args
from github_fake import REPO, FakeGitHub, running

Run = Callable[..., dict[str, Any]]


def disguises(secret: str) -> set[str]:
    """A secret as it is, and as an encoding would show it."""
    forms = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], base64.b64encode(secret.encode()).decode()}
    return {form for form in forms if len(form) > 5}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    # A back-off is counted, not slept.
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with running() as found:
        yield found


@pytest.fixture
def run(hub: FakeGitHub, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a module. Everything that it says is searched for the token, and for `canaries`."""
    # Where another test has loaded Ansible's controller, a warning would be displayed instead of returned.
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False, raising=False)

    def call(
        name: str, /, check: bool = False, failing: bool = False, canaries: tuple[str, ...] = (), **arguments: Any
    ) -> dict[str, Any]:
        module = importlib.import_module(f"ansible_collections.ops.runbook.plugins.modules.{name}")
        given = {"api_url": hub.url, "token": hub.token, "repository": REPO, **arguments}
        given = {key: value for key, value in given.items() if value is not None}
        given |= {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_verbosity": 3}
        hub.module = name
        # Ansible keeps warnings for the process, which has one module elsewhere.
        warnings._global_warnings.clear()
        with patch_module_args(given), pytest.raises(SystemExit):
            module.main()
        said = capfd.readouterr()
        for secret in (hub.token, *canaries):
            for form in disguises(secret):
                assert form not in said.out + said.err
        result: dict[str, Any] = json.loads(said.out)
        assert bool(result.get("failed")) is failing, result.get("msg")
        return result

    return call
