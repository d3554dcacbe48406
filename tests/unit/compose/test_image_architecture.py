"""An image for another processor is refused before anything stops, unless the host emulates it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose.image_architecture import judge
from ansible_collections.ops.runbook.plugins.module_utils.compose.images import emulations

CASES = {
    "the same": ("x86_64", "amd64", (), "", ""),
    "the same, as an image names it": ("amd64", "amd64", (), "", ""),
    "an image that names none": ("x86_64", "", (), "", ""),
    "a host that names none": ("", "arm64", (), "", ""),
    "another one": ("x86_64", "arm64", (), "the image of api is for arm64, this host is amd64", ""),
    "the other way round": ("aarch64", "amd64", (), "the image of api is for amd64, this host is arm64", ""),
    "a third": ("x86_64", "s390x", ("qemu-aarch64",), "the image of api is for s390x, this host is amd64", ""),
    "emulated": ("x86_64", "arm64", ("python3.13", "qemu-aarch64"), "", "it runs by emulation (qemu-aarch64)"),
    "emulated, with the same name": ("x86_64", "riscv64", ("qemu-riscv64",), "", "by emulation (qemu-riscv64)"),
    "by Rosetta": ("aarch64", "amd64", ("rosetta",), "", "it runs by emulation (rosetta)"),
    "an older one": ("x86_64", "386", (), "", "which not every amd64 processor can run"),
    "an older ARM": ("aarch64", "arm", (), "", "which not every arm64 processor can run"),
}


@pytest.mark.parametrize(("machine", "built_for", "emulated", "refused", "warned"), CASES.values(), ids=CASES)
def test_an_image_is_for_the_host(
    machine: str, built_for: str, emulated: tuple[str, ...], refused: str, warned: str
) -> None:
    refusal, warnings = judge(machine, {"api": ("shop/api:1", built_for), "db": ("postgres:17", "")}, emulated)
    assert (refusal.text if refusal else "").startswith(refused) and bool(refusal) is bool(refused)
    assert warned in "".join(warnings) and bool(warnings) is bool(warned)
    if refusal:
        assert refusal.code == "wrong_architecture"
        assert refusal.details == (f"api: shop/api:1 is for {built_for}, this host is {refused.rpartition(' ')[2]}",)


def test_only_emulations_that_are_switched_on_count(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "register").write_text("")
    (tmp_path / "qemu-aarch64").write_text("enabled\ninterpreter /usr/bin/qemu-aarch64\n")
    (tmp_path / "qemu-arm").write_text("disabled\ninterpreter /usr/bin/qemu-arm\n")
    assert emulations(str(tmp_path)) == ["qemu-aarch64"]
    assert emulations(str(tmp_path / "none")) == []
