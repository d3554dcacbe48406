"""Histories of the SSH key that CI deploys with, on one host: GitHub is there, and never at fault."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

import ssh_keys_lab
from small_disk import small_disk
from ssh_keys_lab import KEYS, OTHERS, SECOND, KeysHost, World

from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import pair as ssh_key_pair
from histories import faults
from histories.base import OnHost
from histories.check import Facts
from histories.draw import Kinds

_ANY = ("before.#", "after.#")
TASKS = {
    "plan": "plan | Take the lease and plan the rotation",
    "keep": "apply | Make the new key and keep it",
    "in": "apply | Let it in, and log in with it",
    "journal": "apply | Journal that the secret is about to be put",
    "put": "apply | Put the secret",
    "ci": "apply | Run the workflow, and read which key it had",
    "out": "apply | Take the old key out, host by host",
    "end": "apply | Close the rotation on the host",
    "close": OnHost.tasks["close"],
}
KINDS = Kinds(
    system="ssh_keys",
    starts=("one_line", "second_file", "rotated"),
    operations={
        "rotate": (
            "plain",
            "comment=night",
            "expires=200",
            "named=current",
            "pushed",
            "refused=stranger",
            "refused=operator",
        ),
        "audit": (),
    },
    faults={
        "kill_module": ("before.#", "half.#", "after.#"),
        "kill_controller": (*_ANY, *(f"task.{name}" for name in TASKS)),
        "power_off": _ANY,
        "reboot": _ANY,
        "cut_session": _ANY,
        "cut_connection": _ANY,
        "state_full": _ANY,
        "app_full": _ANY,
        "read_only": (),
        "second_operator": _ANY,
        "ci_has_the_old_key": (),
    },
    changes=(
        "line_added",
        "old_removed",
        "options_changed",
        "old_moved",
        "old_doubled",
        "rotated_by_hand",
        "folder_open",
        "sshd_closed",
        "copy_removed",
        "ledger_torn",
        "ledger_edited",
    ),
)
#: The account's folder of keys.
FOLDER = "/home/deploy/.ssh"
CI = "/srv/lab/ci"
TOKEN = "token-of-the-lab"


class Keys(OnHost):
    """A host whose account `deploy` lets CI and the operator in."""

    kinds, tasks = KINDS, TASKS
    name = "ssh_keys"
    trouble = ("old_removed", "folder_open", "sshd_closed")
    moves = ("rotated_by_hand",)
    looks = ("ssh_key_audit",)
    final_refusals = ("key_not_used_by_ci", "old_key_used")
    world: World

    def __init__(self, host: str) -> None:
        self.host = KeysHost(host)
        self.operator = ssh_key_pair.pair_of((self.host.keys / "id_ed25519").read_bytes())
        # The keys that the checker knows, and those that must log in.
        self.told: list[str] = []
        self.valid = ""
        # A history has a GitHub of its own.
        self.open = contextlib.ExitStack()

    def leave(self) -> None:
        self.open.close()

    def tidy(self) -> None:
        super().tidy()
        self.host.root(f"rm -rf {CI}")

    def start(self, start: str) -> None:
        folder = Path(self.open.enter_context(tempfile.TemporaryDirectory(prefix="lab-")))
        self.world = self.open.enter_context(ssh_keys_lab.world(folder, [self.host.name]))
        self.world.hub.token = TOKEN
        self.host.root(f"rm -rf {faults.PACKAGES}/lab_fault.pth {CI}; umount -l {FOLDER} {self.folder}", check=False)
        self.world.reset()
        self.host.root(f"install -d -m 700 {CI}")
        if start == "second_file":
            self.host.write(f"{OTHERS}{self.world.operator}\n")
            self.host.write(f"{self.world.line()}\n", SECOND)
        elif start == "rotated":
            run = self.host.play("ssh_key_rotate", *self.given("ssh_key_rotate"))
            assert run.green, run.text
        self._known()
        faults.install(self.host)

    def _known(self) -> None:
        """Keep each private key that CI has on the host, for the checker. It says nowhere which one that is."""
        pairs = (self._secret(), self.world.ci_key(), self.operator, self.world.old)
        words = []
        for pair in pairs:
            if pair.fingerprint not in self.told:
                self.told.append(pair.fingerprint)
                path = f"{CI}/{pair.fingerprint.removeprefix('SHA256:').replace('/', '_')}"
                words.append(f"echo '{pair.private.decode()}' > {path}; echo '{pair.public}' > {path}.pub")
        valid = " ".join(dict.fromkeys(pair.fingerprint for pair in pairs[:3]))
        if words or valid != self.valid:
            self.valid = valid
            self.host.root("; ".join(["umask 077", *words, f"echo '{valid}' > {CI}/valid"]))

    def look(self, plant: bool = False) -> Facts:
        self._known()
        return super().look(plant)

    @property
    def current(self) -> str:
        return self.world.ci_key().fingerprint

    @property
    def releases(self) -> tuple[str, ...]:
        return (self.current,)

    @property
    def ends_at(self) -> str:
        return self.current

    def line(self, act: str, argument: str) -> tuple[str, list[str]]:
        """The procedure and its inputs for an operation."""
        if act == "audit":
            return "ssh_key_audit", []
        kind, _, value = argument.partition("=")
        named = {"current": self.current, "stranger": "SHA256:" + "A" * 43, "operator": self.operator.fingerprint}
        if kind == "pushed":
            # The last deploy was a push: it does not prove which key CI has.
            for run in self.world.hub.runs.values():
                run["event"] = "push"
        inputs = {
            "comment": ["-e", f"ssh_key_comment={value}"],
            "expires": ["-e", f"ssh_key_expires_days={value}"],
        }
        if kind in ("named", "refused"):
            return "ssh_key_rotate", ["-e", f"old_key={named[value]}"]
        return "ssh_key_rotate", inputs.get(kind, [])

    def given(self, procedure: str) -> list[str]:
        if procedure != "ssh_key_rotate":
            return []
        # It can't be typed, and is the same for all histories: another one that ended may have taken its own away.
        os.environ["GITHUB_TOKEN"] = TOKEN
        return [
            *("--vault-id", str(self.world.folder / "vault-pass")),
            *("-e", f"ssh_key_keep_dir={self.world.folder / 'kept'}"),
            *("-e", json.dumps({"ssh_key_hosts": [self.host.name], "ssh_key_api_url": self.world.hub.url})),
        ]

    def good(self) -> tuple[str, list[str]]:
        return "ssh_key_rotate", []

    def history_inputs(self) -> list[str]:
        return ["-e", "service=ssh_key"]

    # -- by hand -------------------------------------------------------------------------------

    def by_hand(self, name: str) -> None:
        host, key = self.host, self.world.ci_key().public.split()[1]
        its = f"grep -F {key} {KEYS} {SECOND} -h -s | head -n 1"
        if name == "line_added":
            host.write(f"{host.read()}{ssh_key_pair.generate().public} by hand\n")
        elif name == "old_removed":
            self._take_out(key)
        elif name == "options_changed":
            host.root(f"sed -i '\\#{key}#s/,no-pty//' {KEYS} $(ls {SECOND} 2>/dev/null)")
        elif name == "old_moved":
            host.root(f"{its} > /srv/lab/line")
            self._take_out(key)
            host.root(f"cat /srv/lab/line >> {SECOND}; chown deploy:deploy {SECOND}; chmod 600 {SECOND}")
        elif name == "old_doubled":
            host.root(f"{its} > /srv/lab/line; cat /srv/lab/line >> {KEYS}")
        elif name == "rotated_by_hand":
            self._rotate_by_hand(key)
        elif name == "folder_open":
            host.root(f"chmod 0777 {FOLDER}")
        elif name == "sshd_closed":
            host.sshd("AllowUsers nobody\n")
        elif name == "copy_removed":
            for path in self.world.kept():
                path.unlink()

    def _take_out(self, key: str) -> None:
        self.host.root(f"sed -i '\\#{key}#d' {KEYS} $(ls {SECOND} 2>/dev/null); chown deploy:deploy {FOLDER}/*")

    def _rotate_by_hand(self, key: str) -> None:
        """As a person does without the procedure: a new pair, its line, the secret, and a deploy."""
        pair, hub = ssh_key_pair.generate(), self.world.hub
        self.host.write(f"{self.host.read()}{pair.public} ci deploy 2026-08-02\n")
        hub.secrets["repo"]["PROD_SSH_KEY"].update(value=pair.private.decode(), updated_at=hub.tick())
        self.world.deployed()
        self._take_out(key)

    def mend(self) -> None:
        """Do by hand what no procedure does: sshd lets people in, and CI has its line."""
        if not hasattr(self, "world"):
            return
        self.world.runs_with = ""
        self.host.root(f"chmod 0700 {FOLDER}", check=False)
        if self.host.root(f"test -e {ssh_keys_lab.CONFIGURATION} && echo yes", check=False):
            self.host.sshd("")
        pair = self._secret()
        if pair.fingerprint not in {*self.host.fingerprints(), *self._second()}:
            self.host.write(f"{self.host.read()}{ssh_keys_lab.NEAR},no-pty {pair.public} ci deploy 2026-08-03\n")

    def _secret(self) -> ssh_key_pair.Pair:
        return ssh_key_pair.pair_of(self.world.hub.secrets["repo"]["PROD_SSH_KEY"]["value"].encode())

    def _second(self) -> list[str]:
        there = self.host.root(f"test -e {SECOND} && echo yes", check=False)
        return self.host.fingerprints(SECOND) if there else []

    # -- faults around a whole run ---------------------------------------------------------------

    def prepared(self, fault: str, _moment: str, stack: contextlib.ExitStack) -> list[str]:
        if fault == "app_full":
            stack.enter_context(small_disk(self.host, FOLDER, 1, keep=True))
        elif fault == "ci_has_the_old_key":
            self.world.runs_with = self.world.ci_key().private.decode()
        return []

    def fill(self) -> None:
        self.host.deploy(f"cat /dev/zero > {FOLDER}/filler", check=False)
