"""Nobody becomes root through the program that backups call with sudo: not who may call it, and not an app."""

from __future__ import annotations

import json
import subprocess

import pytest
from dokku_backup_lab import APP, STORAGE, Backed
from lab import HOSTS

ID = "20261129T000000Z-abcdef"
SUDO = "sudo -n -- /usr/local/sbin/dokku-parts"
SHADOW = "root:\\*:"

#: A tar file on standard output: a link to a folder of root's, and then what goes through it.
LINKS = f"""
import io, sys, tarfile
out = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
def add(name, kind, to="", content=b"", mode=0o755):
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size, member.mode = kind, to, len(content), mode
    out.addfile(member, io.BytesIO(content))
add("{APP}", tarfile.DIRTYPE)
add("{APP}/job", tarfile.REGTYPE, content=b"* * * * * root touch /root/owned\\n")
add("{APP}/c", tarfile.SYMTYPE, "/etc/cron.d")
add("{APP}/e", tarfile.SYMTYPE, "/etc")
add("{APP}/c/evil", tarfile.SYMTYPE, "{STORAGE}/job")
add("{APP}/shadow", tarfile.LNKTYPE, "{APP}/e/shadow")
out.close()
"""

#: As the app: plain files change places with links to a file of root's, until it is ended.
SWAP = f"""
import ctypes, os
os.chdir("{STORAGE}/up")
names = [(f"f{{number}}", f"l{{number}}") for number in range(300)]
for plain, link in names:
    open(plain, "w").write("mine")
    os.symlink("/etc/shadow", link)
os.mkdir("swapping")
exchange, here = ctypes.CDLL(None).renameat2, -100
names = [(plain.encode(), link.encode()) for plain, link in names]
while True:
    for plain, link in names:
        exchange(here, plain, here, link, 2)
"""

#: Two manifests: docker's way of unpacking lets the second take the place of the first.
TWO = """
import hashlib, io, json, sys, tarfile
out = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
def add(name, content):
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    out.addfile(member, io.BytesIO(content))
packed = io.BytesIO()
inner = tarfile.open(fileobj=packed, mode="w")
inner.addfile(tarfile.TarInfo("hello"))
inner.close()
layer = packed.getvalue()
roots = {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}
add("c.json", json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": roots}).encode())
add("layer.tar", layer)
names = sys.argv[1:]
for name, tag in zip(names[::2], names[1::2]):
    add(name, json.dumps([{"Config": "c.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]).encode())
out.close()
"""


class Parts(Backed):
    """The host, and the program as deploy calls it."""

    def piped(self, script: str, words: str, *arguments: str) -> str:
        """The program's answer to an archive that a script made, and its exit code."""
        makes = ["docker", "exec", "-i", "-u", "deploy", self.name, "python3", "-", *arguments]
        archive = subprocess.run(makes, input=script.encode(), capture_output=True, check=True).stdout
        takes = ["docker", "exec", "-i", "-u", "deploy", self.name, "bash", "-c", f"{SUDO} {words} 2>&1; echo =$?"]
        return subprocess.run(takes, input=archive, capture_output=True, check=True).stdout.decode()


@pytest.fixture(scope="module")
def host() -> Parts:
    host = Parts(HOSTS[0])
    host.reset("apps")
    host.equip()
    return host


def test_no_link_of_an_archive_leads_root_out_of_the_storage(host: Parts) -> None:
    host.root(f"mkdir -p {STORAGE}; echo mine > {STORAGE}/mine; rm -f /etc/cron.d/evil")
    assert "=1" in host.piped(LINKS, f"write storage {APP} {ID}")
    assert host.root("ls /etc/cron.d/evil 2>/dev/null || echo none") == "none"
    assert host.root("stat -c %h /etc/shadow") == "1"
    assert host.root(f"cat {STORAGE}/mine; ls -A {STORAGE}/.. | grep '^[.]'", check=False) == "mine"


def test_an_app_that_swaps_its_files_while_root_reads_them_gets_nothing_of_roots(host: Parts) -> None:
    host.root(f"rm -rf {STORAGE}; mkdir -p {STORAGE}/up; chown -R 32767:32767 {STORAGE}")
    swap = ["docker", "exec", "-i", "-u", "32767", host.name, "timeout", "600", "python3", "-"]
    with subprocess.Popen(swap, stdin=subprocess.PIPE) as swapping:
        assert swapping.stdin is not None
        swapping.stdin.write(SWAP.encode())
        swapping.stdin.close()
        host.root(f"until test -d {STORAGE}/up/swapping; do sleep 0.1; done")
        read = f"{SUDO} read storage {APP} > ~/read.tar && grep -ac '{SHADOW}' ~/read.tar"
        found = host.deploy(f"for _ in $(seq 20); do {read} || echo $?; done 2>&1", check=False).split()
        host.root("pkill -u 32767 python3", check=False)
    assert host.root("cut -c1-7 /etc/shadow | head -1") == "root:*:"
    assert found == ["0", "1"] * 20


def test_docker_loads_what_was_looked_at_and_no_image_of_somebody_else(host: Parts) -> None:
    ours, theirs = f"dokku/{APP}:restored", "someone-elses-image:latest"
    for names in (("manifest.json", ours, "./manifest.json", theirs), ("./manifest.json", theirs)):
        said = host.piped(TWO, f"write image {APP}", *names)
        assert "=1" in said, said
    said = host.piped(TWO, f"write image {APP}", "manifest.json", ours)
    assert "=0" in said, said
    tags = json.loads(host.root(f"docker image inspect {ours}"))[0]["RepoTags"]
    assert tags == [ours]
    assert host.root(f"docker image ls --quiet {theirs}") == ""


@pytest.mark.parametrize(
    ("make", "path"),
    [
        ("install -d -o deploy /opt/ours", "/opt/ours/dokku-parts"),
        ("install -d -o root -g deploy -m 0775 /opt/groups", "/opt/groups/dokku-parts"),
        ("install -d -m 0777 /opt/all && install -d /opt/all/below", "/opt/all/below/dokku-parts"),
        ("install -d -o deploy /opt/theirs && ln -sfn /opt/theirs /opt/linked", "/opt/linked/dokku-parts"),
        ("true", "/opt/missing/dokku-parts"),
        ("true", "/opt/../usr/local/sbin/dokku-parts"),
    ],
)
def test_the_program_is_not_installed_where_somebody_else_could_replace_it(host: Parts, make: str, path: str) -> None:
    host.root(make)
    refused = host.play("dokku_backup_setup", ansible_user="admin", dokku_backup_helper=path)
    assert not refused.green and "who replaces the program" in refused.text, refused.text
    assert host.root(f"grep -c {path} /etc/sudoers.d/ops-runbook-parts", check=False) == "0"
