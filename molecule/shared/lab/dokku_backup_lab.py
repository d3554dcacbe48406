"""A Dokku host whose app has a database, a cache and storage, and what a person keeps of it elsewhere."""

from __future__ import annotations

import json
import shlex
import subprocess
import threading
from pathlib import Path
from typing import Any

from dokku_state_lab import Apps
from lab import Run, counted_reset

APP, STAGING = "restant-main", "restant-staging"
STATE = f"/var/lib/ops-runbook/{APP}"
STORAGE = f"/var/lib/dokku/data/storage/{APP}"
#: What is secret in these tests: in the configuration, a row, and a file.
CANARIES = ("canary-config-5ecret", "canary-row-5ecret", "canary-file-5ecret")
DATA = f"""
SET FOREIGN_KEY_CHECKS=0; DROP TABLE IF EXISTS orders, customers, stray, `odd``na-me (x)`; DROP VIEW IF EXISTS big;
CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(200), photo BLOB);
INSERT INTO customers VALUES (1,'o''ne (a);\\n b',0x00010227275C0A),(2,'zw),(ei',NULL),(3,'{CANARIES[1]}',0xFF27);
CREATE TABLE orders (id INT PRIMARY KEY, customer INT, FOREIGN KEY (customer) REFERENCES customers(id));
INSERT INTO orders VALUES (1,1),(2,2),(3,3);
CREATE TABLE `odd``na-me (x)` (a INT); INSERT INTO `odd``na-me (x)` VALUES (1),(2);
CREATE VIEW big AS SELECT * FROM orders WHERE id > 1;
"""


class Backed(Apps):
    """The host and its app."""

    health: tuple[dict[str, Any], ...] = (
        {"name": "health", "url": f"http://{APP}.dokku.example.com/health", "connect_to": "127.0.0.1:80"},
    )

    def play(self, procedure: str, *options: str, **inputs: object) -> Run:
        own = {
            "dokku_app": APP,
            "dokku_disk_reserve": 50,
            "dokku_health": list(self.health),
        }
        return super().play(procedure, *options, **{**own, **inputs})

    # -- making ----------------------------------------------------------------------------------

    @counted_reset()
    def equip(self) -> None:
        """Database servers in the engine, and what a backup needs root for."""
        self.load_services()
        done = self.play("dokku_backup_setup", ansible_user="admin")
        assert done.green, done.text

    @counted_reset()
    def seed(self) -> None:
        """The app as it is backed up, whatever it was."""
        for plugin, name in (("mysql", "restant-db"), ("redis", "restant-cache")):
            if "exists" not in self.dokku(f"{plugin}:exists", name, check=False).replace("does not exist", ""):
                self.dokku(f"{plugin}:create", name)
            if APP not in self.dokku(f"{plugin}:links", name):
                self.dokku(f"{plugin}:link", name, APP, "--no-restart")
        self.sql(DATA)
        self.dokku("config:set", "--no-restart", APP, f"API_SECRET={CANARIES[0]}", "GREETING=hello")
        self.dokku("config:unset", "--no-restart", APP, "LATER", check=False)
        self.root(f"rm -rf {STORAGE}/up; mkdir -p {STORAGE}/up; echo {CANARIES[2]} > {STORAGE}/up/one")
        self.root(f"chmod 600 {STORAGE}/up/one; chown -R 33:33 {STORAGE}/up")

    def change(self) -> None:
        """Change data after the backup."""
        self.sql(
            "DELETE FROM orders WHERE id = 1; INSERT INTO customers VALUES (9, 'new', NULL); DROP VIEW big;"
            "CREATE TABLE stray (a INT, c INT, FOREIGN KEY (c) REFERENCES customers(id));"
            "INSERT INTO stray VALUES (1, 9);"
        )
        self.dokku("config:set", "--no-restart", APP, "GREETING=changed", "LATER=1")
        self.root(f"echo changed > {STORAGE}/up/one; echo x > {STORAGE}/up/two")

    # -- looking ---------------------------------------------------------------------------------

    def sql(self, text: str, service: str = "restant-db") -> str:
        called = f"sudo -n -u dokku -- /usr/bin/dokku mysql:connect {service} 2>/dev/null"
        return self.deploy(f"printf %s {shlex.quote(text)} | {called}")

    def data(self) -> dict[str, Any]:
        """All that a restore is about."""
        rows = self.sql(
            "SHOW TABLES; SELECT id, name, HEX(photo) FROM customers ORDER BY id; SELECT * FROM orders ORDER BY id;"
        )
        files = self.root(f"cd {STORAGE} && find . -type f -printf '%p %U %m ' -exec sha256sum {{}} +; ls -A ..")
        keys = {key: value for key, value in self.config(APP).items() if key != "GIT_REV"}
        services = self.dokku("mysql:list"), self.dokku("redis:list")
        return {"rows": rows, "files": files, "config": keys, "services": services, "running": self.running()}

    def running(self) -> str:
        return self.report(APP, "ps")["running"]

    def backups(self) -> list[str]:
        return self.root(f"ls -A {STATE}/backups 2>/dev/null", check=False).split()

    def outcomes(self) -> list[str]:
        lines = self.root(f"cat {STATE}/ledger.jsonl 2>/dev/null", check=False).splitlines()
        return [str(json.loads(line)["outcome"]) for line in lines]

    # -- killing ---------------------------------------------------------------------------------

    def killed(self, procedure: str, step: str, **inputs: object) -> Run:
        """A run whose process on the host is killed once it has begun a step, and that is left as it is then."""
        journal = f"{STATE}/journal.jsonl"
        begun = f'"event":"begin","step":"{step}"'
        # Woken by the journal's very write: a step may last a twentieth of a second.
        seen = f"grep -qF {shlex.quote(begun)} < <(exec timeout 600 tail --lines +1 -s 0.01 -F {journal} 2>/dev/null)"
        wait = f"{seen} && pkill -9 -u deploy python3"
        killer = threading.Thread(target=lambda: self.root(f"timeout 600 bash -c {shlex.quote(wait)}", check=False))
        killer.start()
        run = self.play(procedure, **{"on_unhealthy": "hold", **inputs})
        killer.join()
        return run


def key_pair(folder: Path, name: str) -> tuple[str, str]:
    """The file of a new private key, and its public key."""
    path = folder / f"{name}.pem"
    made = ["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(path)]
    if subprocess.run(made, capture_output=True, check=False).returncode:
        subprocess.run([word for word in made if word != "-quiet"], capture_output=True, check=True)
    path.chmod(0o600)
    public = ["openssl", "pkey", "-in", str(path), "-pubout"]
    return str(path), subprocess.run(public, capture_output=True, text=True, check=True).stdout
