# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks that a host can run an image, by the architecture that each of them names. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: As a kernel calls it -> as an image does.
_OF_MACHINE = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv6l": "arm",
    "armv7l": "arm",
    "i386": "386",
    "i686": "386",
    "loongarch64": "loong64",
}
#: As an image calls it -> as QEMU does, by whose name an emulation is registered with the kernel.
_OF_QEMU = {"amd64": "x86_64", "arm64": "aarch64", "386": "i386", "loong64": "loongarch64"}

#: Architectures that some processors of another one run too.
_OLDER = {("amd64", "386"), ("arm64", "arm")}


def of_machine(machine: str) -> str:
    """The architecture of a host as images name it. machine: as `uname -m` or the engine names it."""
    return _OF_MACHINE.get(machine, machine)


def judge(
    machine: str, images: Mapping[str, tuple[str, str]], emulated: Collection[str]
) -> tuple[Problem | None, list[str]]:
    """Why these images can't run on a host, and what a person should know of those that may.

    images: by service, reference and architecture; empty where the image names none. emulated: the names under which
    emulations are registered with the kernel, such as qemu-aarch64.
    """
    host = of_machine(machine)
    foreign = {name: found for name, found in images.items() if found[1] and host and found[1] != host}
    warnings = []
    refused: dict[str, str] = {}
    for name, (reference, built_for) in foreign.items():
        by = next((one for one in sorted(emulated) if _emulates(one, built_for)), "")
        if by:
            warnings.append(
                f"the image of {name} is for {built_for}, and this host is {host}: it runs by emulation ({by}), "
                "which is slow"
            )
        elif (host, built_for) in _OLDER:
            warnings.append(f"the image of {name} is for {built_for}, which not every {host} processor can run")
        else:
            refused[name] = f"{name}: {reference} is for {built_for}, this host is {host}"
    if not refused:
        return None, warnings
    names, others = ", ".join(refused), ", ".join(dict.fromkeys(foreign[name][1] for name in refused))
    return (
        Problem(
            "wrong_architecture",
            f"the image of {names} is for {others}, this host is {host}: it could not run a program of it",
            (
                ("to=<another release>", f"whose images were built for {host}"),
                ("sudo apt-get install qemu-user-static", "on the host: it then emulates the other one, slowly"),
            ),
            tuple(refused.values()),
        ),
        warnings,
    )


def _emulates(registered: str, built_for: str) -> bool:
    # Docker Desktop has Rosetta for amd64.
    return registered == f"qemu-{_OF_QEMU.get(built_for, built_for)}" or (
        registered == "rosetta" and built_for == "amd64"
    )
