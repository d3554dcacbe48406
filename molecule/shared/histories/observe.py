"""Looks at a host for the checker: one program in the container, which asks by HTTP, /proc, SQL, git and docker.

It shares no code with the product, nor with the lab that operates the host.
"""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

from histories.check import Facts

#: What every system is asked: records, leases, and the answers of its service. WHERE is put before it.
COMMON = r"""
import base64, glob, http.client, json, os, subprocess
def sh(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""
def raw(path):
    try:
        with open(path, "rb") as handle:
            return base64.b64encode(handle.read()).decode()
    except OSError:
        return ""
def answers(path, times, keys):
    found = []
    for _ in range(times):
        try:
            line = http.client.HTTPConnection("127.0.0.1", 80, timeout=60)
            line.request("GET", path)
            got = line.getresponse()
            body = got.read()
            try:
                document = json.loads(body)
            except ValueError:
                document = {}
            release = next((str(document[key]) for key in keys if document.get(key)), "")
            found.append([got.status, release])
        except (OSError, http.client.HTTPException):
            found.append([0, ""])
    return found
def lives(path):
    try:
        inode = os.stat(path).st_ino
    except OSError:
        return False
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) == path and os.stat(link).st_ino == inode:
                return True
        except OSError:
            pass
    return False
def state():
    lease = raw(STATE + "/lease.json")
    return {
        "ledger": raw(STATE + "/ledger.jsonl"), "journal": raw(STATE + "/journal.jsonl"),
        "lease": lease, "lease_lives": lives(STATE + "/running.lock"),
        "aside": [raw(path) for path in glob.glob(STATE + "/ledger.jsonl.damaged-*")],
    }
"""

LARAVEL = r"""
STATE, APP, DATABASE = "/var/lib/ops-runbook/vertex", "/var/www/vertex-laravel-api", "/var/lib/vertex/database.sqlite"
"""
LARAVEL_LOOK = r"""
import sqlite3
app = APP + "/current" if os.path.islink(APP + "/current") else APP
git = ["git", "-c", "safe.directory=*"]
names = dict(line.split(" ")[::-1] for line in sh(*git, "-C", "/srv/git/vertex-laravel-api.git", "for-each-ref",
    "--format=%(refname:short) %(*objectname)", "refs/tags").splitlines())
database = sqlite3.connect(DATABASE, timeout=60)
with database:
    database.execute("create table if not exists canaries (id integer primary key)")
    tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
    if PLANT:
        database.execute("insert into canaries default values")
        database.execute("insert into orders (amount) values (900001)")
        if "refunds" in tables:
            database.execute("insert into refunds (order_id, amount) values (1, 900001)")
rows = {"canaries": [one for (one,) in database.execute("select id from canaries")]}
for name in ("orders", "refunds"):
    if name in tables:
        rows[name] = [one for (one,) in database.execute("select id from %s where amount = 900001" % name)]
print(json.dumps({**state(), "answers": answers("/api/v1/health", 6, ["version"]), "rows": rows, "names": names,
    "release": sh(*git, "-C", app, "rev-parse", "HEAD"),
    "page": os.path.exists(app + "/storage/framework/down"),
    "releases": os.path.islink(APP + "/current")}))
"""
PROGRAMS = {"laravel": LARAVEL + COMMON + LARAVEL_LOOK}


def ask(host: str, program: str, plant: bool) -> dict[str, Any]:
    """Run a program in a container, and read the document that it prints."""
    done = subprocess.run(
        ["docker", "exec", "-i", host, "python3", "-S", "-"],
        input=f"PLANT = {plant}\n{program}",
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{host} can't be looked at: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def facts(raw: dict[str, Any]) -> Facts:
    lease = base64.b64decode(raw["lease"])
    try:
        document = json.loads(lease) if lease else None
    except ValueError:
        document = {"operation": "(a lease that can't be read)"}
    return Facts(
        answers=tuple((status, release) for status, release in raw["answers"]),
        release=raw["release"],
        rows={name: frozenset(found) for name, found in raw["rows"].items()},
        ledger=base64.b64decode(raw["ledger"]),
        lease=document,
        lease_lives=raw["lease_lives"],
        journal=base64.b64decode(raw["journal"]),
        page=raw.get("page", False),
        aside=tuple(base64.b64decode(one) for one in raw["aside"]),
        names=raw.get("names", {}),
    )


def look(host: str, system: str, plant: bool = False) -> Facts:
    """The host now. plant: put one more canary row into each table first."""
    return facts(ask(host, PROGRAMS[system], plant))
