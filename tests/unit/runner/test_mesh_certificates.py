# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of a mesh: they have an end, and are renewed before it without new keys.

A fake of receptor takes its options, and makes with openssl what they ask for. molecule/mesh has the real one.
"""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "runner/mesh/certificates"
NODES = ("control", "hop", "execution")

RECEPTOR = r"""#!/bin/bash
set -euo pipefail
command=$1; shift
declare -A given
for word in "$@"; do given[${word%%=*}]=${word#*=}; done
known() { for name in "${!given[@]}"; do [[ " $* " == *" $name "* ]] || { echo "unknown $name" >&2; exit 1; }; done; }
case $command in
    --cert-init)
        known commonname bits notafter outcert outkey
        openssl req -x509 -newkey rsa:2048 -nodes -days "${CA_DAYS:-3650}" -subj "/CN=${given[commonname]}" \
            -keyout "${given[outkey]}" -out "${given[outcert]}" 2>/dev/null ;;
    --cert-makereq)
        known commonname bits dnsname nodeid outreq inkey outkey
        if [ -n "${given[inkey]:-}" ]; then
            [ -z "${given[bits]:-}${given[outkey]:-}" ] || { echo "bits beside inkey" >&2; exit 1; }
            key=${given[inkey]}
        else
            openssl genrsa -out "${given[outkey]}" "${given[bits]}" 2>/dev/null; key=${given[outkey]}
        fi
        openssl req -new -key "$key" -subj "/CN=${given[commonname]}" -out "${given[outreq]}" ;;
    --cert-signreq)
        known req cacert cakey notafter outcert verify
        [ "${SIGNS:-yes}" = yes ] || { echo "cannot sign" >&2; exit 1; }
        days=$(( ($(date -u -d "${given[notafter]}" +%s) - $(date -u +%s)) / 86400 ))
        openssl x509 -req -in "${given[req]}" -CA "${given[cacert]}" -CAkey "${given[cakey]}" -days "$days" \
            -out "${given[outcert]}" 2>/dev/null ;;
    *) echo "unknown $command" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def bin_with_receptor(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "receptor").write_text(RECEPTOR)
    (folder / "receptor").chmod(0o755)
    return folder


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    search = {"PATH": f"{folder}:{os.environ['PATH']}", **environment}
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments], check=False, capture_output=True, text=True, env={**os.environ, **search}
    )


def day(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%d")


def ends_in(tls: Path, node: str) -> int:
    """Days until the certificate of a node ends."""
    said = subprocess.run(
        ["openssl", "x509", "-in", str(tls / node / "node.crt"), "-noout", "-enddate", "-dateopt", "iso_8601"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    end = datetime.strptime(said.strip().partition("=")[2], "%Y-%m-%d %H:%M:%SZ").replace(tzinfo=UTC)
    return (end - datetime.now(UTC)).days


def contents(tls: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tls)): path.read_bytes() for path in tls.rglob("*") if path.is_file()}


def test_certificates_end_after_a_year_and_a_renewal_keeps_the_keys(tmp_path: Path, bin_with_receptor: Path) -> None:
    tls = tmp_path / "tls"
    made = run(bin_with_receptor, "--until", day(40), str(tls))
    assert made.returncode == 0, made.stderr
    before = contents(tls)
    assert {37, 38, 39} >= {ends_in(tls, node) for node in NODES}
    renewed = run(bin_with_receptor, "--renew", str(tls))
    assert renewed.returncode == 0, renewed.stderr
    after = contents(tls)
    assert {name for name in after if after[name] != before.get(name)} == {f"{node}/node.crt" for node in NODES}
    assert before.keys() == after.keys()
    assert all(360 < ends_in(tls, node) < 367 for node in NODES)
    assert "restart receptor" in renewed.stdout


def test_a_renewal_that_fails_leaves_the_certificates_that_were_there(tmp_path: Path, bin_with_receptor: Path) -> None:
    tls = tmp_path / "tls"
    run(bin_with_receptor, str(tls))
    before = {name: content for name, content in contents(tls).items() if name.endswith((".crt", ".key"))}
    failed = run(bin_with_receptor, "--renew", str(tls), SIGNS="no")
    assert failed.returncode != 0
    after = contents(tls)
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "usage"),
        (("--renew",), "usage"),
        (("--until", "soon", "x"), "usage"),
        (("--until", "2020-01-01", "x"), "not in the future"),
        (("--rotate", "x"), "usage"),
    ],
    ids=["nothing", "no folder", "no date", "a day that is over", "another option"],
)
def test_an_invalid_certificate_is_refused(
    tmp_path: Path, bin_with_receptor: Path, arguments: tuple[str, ...], said: str
) -> None:
    refused = run(bin_with_receptor, *(str(tmp_path / word) if word == "x" else word for word in arguments))
    assert refused.returncode != 0 and said in refused.stderr
    assert not (tmp_path / "x").exists()


def test_a_folder_without_the_authority_is_not_renewed(tmp_path: Path, bin_with_receptor: Path) -> None:
    tls = tmp_path / "tls"
    run(bin_with_receptor, str(tls))
    (tls / "ca.key").unlink()
    refused = run(bin_with_receptor, "--renew", str(tls))
    assert refused.returncode == 1 and "ca.key is missing" in refused.stderr


def test_no_certificate_outlives_its_authority(tmp_path: Path, bin_with_receptor: Path) -> None:
    refused = run(bin_with_receptor, str(tmp_path / "tls"), CA_DAYS="30")
    assert refused.returncode == 1 and "the authority ends" in refused.stderr
    assert not (tmp_path / "tls/control/node.crt").exists()
