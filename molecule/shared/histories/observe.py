"""Looks at a host for the checker: one program in the container, which asks by HTTP, /proc, SQL, git and docker.

It shares no code with the product, nor with the lab that operates the host.
"""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

from histories.check import Facts, Keys

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
def answers(path, times, keys, name="127.0.0.1"):
    found = []
    for _ in range(times):
        try:
            line = http.client.HTTPConnection("127.0.0.1", 80, timeout=60)
            line.request("GET", path, headers={"Host": name})
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

KEYS = r"""
STATE, FOLDER, CI = "/var/lib/ops-runbook/ssh_key", "/home/deploy/.ssh", "/srv/lab/ci"
"""
#: /srv/lab/ci has each private key that CI and the operator ever had; `valid` names those that they have now.
KEYS_LOOK = r"""
import hashlib, re
def fingerprint(blob):
    return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(blob)).digest()).decode().rstrip("=")
def logs_in(path):
    done = subprocess.run(["ssh", "-F", "none", "-i", path, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
        "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=300",
        "-o", "PreferredAuthentications=publickey", "deploy@127.0.0.1", "echo", "lab-is-in"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return "lab-is-in" in done.stdout.split()
def lines(path):
    try:
        with open(path, errors="surrogateescape") as handle:
            return handle.read().split("\n")
    except OSError:
        return []
path = FOLDER + "/authorized_keys"
if PLANT:
    whole = "\n".join(lines(path))
    with open(path, "a") as handle:
        handle.write(("" if whole.endswith("\n") else "\n") + "# canary %d\n" % len(lines(path)))
files = [line for name in ("authorized_keys", "authorized_keys.ci") for line in lines(FOLDER + "/" + name)]
key = re.compile(r"\b(?:ssh|ecdsa|sk)-\S+ (AAAA[0-9A-Za-z+/]+=*)")
found = [key.search(line) for line in files if not line.startswith("#")]
let_in = {fingerprint(lines(public)[0].split()[1]): logs_in(public[:-4]) for public in glob.glob(CI + "/*.pub")}
valid = lines(CI + "/valid")[0].split()
others = [line for line in files if re.search("canary|CI and people|not a key|by hand|ops-runbook lab", line)]
print(json.dumps({**state(), "answers": [[200 if let_in[valid[0]] else 0, valid[0] if let_in[valid[0]] else ""]],
    "rows": {"lines": [int(hashlib.sha256(line.encode()).hexdigest()[:13], 16) for line in others]},
    "release": valid[0], "keys": {"valid": valid, "let_in": let_in,
        "listed": [fingerprint(match[1]) for match in found if match]}}))
"""

COMPOSE = r"""
STATE, STORE = "/var/lib/ops-runbook/shop", "/var/lib/docker-registry/docker/registry/v2"
"""
#: The release of a stack is the digests of the images that its containers were made from; the ledger names it.
COMPOSE_LOOK = r"""
SERVICES = ("backend", "worker")
def sql(query):
    done = subprocess.run(["docker", "exec", "shop-db-1", "psql", "-X", "-At", "-U", "postgres", "-h", "/tmp", "shop",
        "-c", query], capture_output=True, text=True)
    return done.stdout.split() if done.returncode == 0 else None
def blob(digest):
    with open("%s/blobs/sha256/%s/%s/data" % (STORE, digest[7:9], digest[7:])) as handle:
        return json.load(handle)
def link(path):
    with open(path) as handle:
        return handle.read()
digests, versions = {}, {}
for path in glob.glob(STORE + "/repositories/acme/shop-*/_manifests/tags/*/current/link"):
    service, name, digest = path.split("/")[-6][5:], path.split("/")[-3], link(path)
    digests[service, blob(digest)["config"]["digest"]] = digest
    if service == "backend" and not name.startswith("sha-"):
        versions[digest] = name
def running(service):
    found = sh("docker", "ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project=shop", "--filter",
        "label=com.docker.compose.oneoff=False", "--filter", "label=com.docker.compose.service=" + service).split()
    image = sh("docker", "inspect", "--format", "{{.Image}}", found[0]) if len(found) == 1 else ""
    return digests.get((service, image), image)
images = {service: running(service) for service in SERVICES}
whole = all(images.values())
release = ",".join("%s=%s" % pair for pair in sorted(images.items())) if whole else ""
names = {release: versions.get(images["backend"], "")}
for line in base64.b64decode(state()["ledger"]).split(b"\n"):
    try:
        record = json.loads(line)
    except ValueError:
        continue
    for known in (record.get("to") or {}, record.get("from") or {}, record.get("left") or {}):
        if whole and {name: image["digest"] for name, image in (known.get("images") or {}).items()} == images:
            release = known["id"]
            names[release] = versions.get(images["backend"], "")
KINDS = {"canaries": ("canaries", "true"), "orders": ("orders", "amount = 900001"),
    "refunds": ("refunds", "amount = 900001"), "orders.note": ("orders", "note = 'canary'"),
    # A migration of the lab rewrites it.
    "orders.legacy_code": ("orders", "amount = 900001 and legacy_code <> ''")}
rows = {}
sql("create table if not exists canaries (id serial primary key)")
columns = sql("select table_name || '.' || column_name from information_schema.columns where table_schema = 'public'")
if columns is not None:
    if PLANT:
        mine = {name: "'canary'" for name in ("note", "legacy_code") if "orders." + name in columns}
        sql("insert into canaries default values")
        mine["amount"] = "900001"
        sql("insert into orders (%s) values (%s)" % (", ".join(mine), ", ".join(mine.values())))
        if "refunds.id" in columns:
            sql("insert into refunds (order_id, amount) select max(id), 900001 from orders")
    for name, (table, where) in KINDS.items():
        if table + ".id" in columns and ("." not in name or name in columns):
            rows[name] = [int(one) for one in sql("select id from %s where %s" % (table, where)) or []]
volume = sh("docker", "volume", "inspect", "--format", "{{.CreatedAt}}", "shop_database")
if volume:
    rows["volume"] = [int("".join(filter(str.isdigit, volume)))]
print(json.dumps({**state(), "answers": answers("/api/v1/health", 6, ["version"]), "names": names, "release": release,
    "rows": rows if columns is not None else None}))
"""

DOKKU = r"""
STATE, APP, STORAGE = "/var/lib/ops-runbook/restant-main", "restant-main", "/var/lib/dokku/data/storage/restant-main"
"""
#: The release is the commit that the container of the app says it was built of.
DOKKU_LOOK = r"""
if PLANT:
    for number in range(1000):
        path = "%s/canary-%d" % (STORAGE, number)
        if not os.path.exists(path):
            open(path, "w").close()
            break
git = ["git", "-c", "safe.directory=*", "-C", "/srv/git/restant.git"]
names = dict(line.split(" ")[::-1] for line in sh(*git, "for-each-ref", "--format=%(refname:short) %(objectname)",
    "refs/tags").splitlines())
names.update(line.split(" ")[::-1] for line in sh(*git, "for-each-ref", "--format=%(refname:short) %(*objectname)",
    "refs/tags").splitlines() if not line.endswith(" "))
environment = sh("docker", "inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", APP + ".web.1")
release = next((line[8:] for line in environment.splitlines() if line.startswith("GIT_REV=")), "")
rows = [int(path.rpartition("-")[2]) for path in glob.glob(STORAGE + "/canary-*")]
print(json.dumps({**state(), "answers": answers("/health", 6, ["version"], APP + ".dokku.example.com"),
    "names": names, "release": release, "rows": {"storage": rows}}))
"""
PROGRAMS = {
    "laravel": LARAVEL + COMMON + LARAVEL_LOOK,
    "ssh_keys": KEYS + COMMON + KEYS_LOOK,
    "dokku": DOKKU + COMMON + DOKKU_LOOK,
    "compose": COMPOSE + COMMON + COMPOSE_LOOK,
}


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
        rows={name: frozenset(found) for name, found in (raw["rows"] or {}).items()},
        rows_seen=raw["rows"] is not None,
        ledger=base64.b64decode(raw["ledger"]),
        lease=document,
        lease_lives=raw["lease_lives"],
        journal=base64.b64decode(raw["journal"]),
        page=raw.get("page", False),
        aside=tuple(base64.b64decode(one) for one in raw["aside"]),
        names=raw.get("names", {}),
        keys=_keys(raw["keys"]) if "keys" in raw else None,
    )


def _keys(raw: dict[str, Any]) -> Keys:
    return Keys(frozenset(raw["valid"]), raw["let_in"], frozenset(raw["listed"]))


def look(host: str, system: str, plant: bool = False) -> Facts:
    """The host now. plant: put one more canary row into each table first."""
    return facts(ask(host, PROGRAMS[system], plant))
