"""letsencrypt. A certificate comes only on a host whose /srv/lab/acme says for how many days; else the request fails."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from .certs import drop, openssl
from .core import (
    HOME,
    HOST,
    LIB,
    Command,
    Failure,
    apps,
    header,
    info,
    parse,
    read_state,
    refuse,
    say,
    some_apps,
    verbose,
    warn,
)
from .nginx import configure_proxy, has_certificate
from .properties import app_and_pair, only_known, properties, reporter, set_property, three

KEYS = "dns-provider email graceperiod lego-args lego-docker-options server"
VALID = "dns-provider, dns-provider-*, email, graceperiod, server, lego-args, lego-docker-options"
DEFAULTS = {"graceperiod": "2592000", "server": "https://acme-v02.api.letsencrypt.org/directory"}
ACME = Path("/srv/lab/acme")
CRON = "@daily /var/lib/dokku/plugins/available/letsencrypt/cron-job"


def folder(app: str) -> Path:
    return HOME / app / "letsencrypt"


def active(app: str) -> bool:
    return has_certificate(app) and (folder(app) / "certs/current").exists()


def expires(app: str) -> int:
    return int(
        subprocess.run(
            ["date", "-d", openssl(HOME / app / "tls/server.crt", "-enddate"), "+%s"], capture_output=True, text=True
        ).stdout
    )


def values(app: str) -> dict[str, str]:
    found = three(app, "letsencrypt", KEYS, DEFAULTS)
    is_active = active(app)
    shown = {"active": str(is_active).lower(), "autorenew": str(cron_enabled()).lower()}
    for key in ("dns-provider", "email", "expiration", "graceperiod", "lego-args", "lego-docker-options", "server"):
        if key == "expiration":
            shown[key] = str(expires(app)) if is_active else ""
            continue
        for kind in (f"computed-{key}", f"global-{key}", key):
            shown[kind] = found[kind]
    return shown


def cron_enabled() -> bool:
    return (LIB / "data/simulator/letsencrypt-cron").exists()


def show_active(argv: list[str]) -> None:
    app = need(argv)
    say(str(active(app)).lower())


def need(argv: list[str]) -> str:
    app = argv[0] if argv else ""
    if not app or not (HOME / app).is_dir():
        raise Failure(f"App {app} does not exist", 20)
    return app


def let_set(argv: list[str]) -> None:
    app, key, value = app_and_pair(argv)
    only_known(key, VALID, "key", "keys")
    set_property(app, "letsencrypt", key, value)


def left(seconds: int) -> str:
    minutes, second = divmod(max(seconds, 0), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{days}d, {hour}h, {minute}m, {second}s"


def let_list(argv: list[str]) -> None:
    rows = [("App name", "Certificate Expiry", "Time before expiry", "Time before renewal")]
    for app in apps():
        if active(app):
            end = expires(app)
            grace = int(properties(app, "letsencrypt").get("graceperiod") or DEFAULTS["graceperiod"])
            date = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(end))
            rows.append((app, date, left(end - int(time.time())), left(end - grace - int(time.time()))))
    for index, (name, *rest) in enumerate(rows):
        text = f"{name:<18} " + "".join(f"{cell:<25} " for cell in rest)
        if index:
            verbose(text[:-1])
        else:
            info(text[:-1])
            some_apps()


def enable(argv: list[str]) -> None:
    words, flags = parse(argv, "all")
    for app in apps() if "all" in flags else [need(words)]:
        request(app)


def request(app: str) -> None:
    header(f"Enabling letsencrypt for {app}")
    email = values(app)["computed-email"]
    if not email:
        warn("ERROR: Cannot request a certificate without an e-mail address!")
        warn("  please provide your e-mail address using")
        raise Failure(f"  dokku letsencrypt:set {app} email <e-mail>")
    info(f"Enabling ACME proxy for {app}...")
    info(f"Getting letsencrypt certificate for {app} via HTTP-01")
    domains = read_state(app)["domains"]
    sys.stdout.flush()
    for domain in domains:
        sys.stderr.write(f"        - Domain '{domain}'\n")
    if not ACME.exists():
        verbose("simulated lego: no ACME server reachable")
        info("Certificate retrieval failed!")
        info(f"Disabling ACME proxy for {app}...")
        warn("Failed to setup letsencrypt")
        raise Failure("Check log output for further information on failure")
    tls = HOME / app / "tls"
    tls.mkdir(exist_ok=True)
    (folder(app) / "certs/current").mkdir(parents=True, exist_ok=True)
    days = ACME.read_text().strip() or "90"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", days]
        + ["-subj", f"/CN={domains[0]}", "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in domains)]
        + ["-keyout", str(tls / "server.key"), "-out", str(tls / "server.crt")],
        check=True,
        capture_output=True,
    )
    info("Certificate retrieved successfully.")
    info("Installing let's encrypt certificates")
    configure_proxy(app)
    info(f"Disabling ACME proxy for {app}...")
    info("Done")


def auto_renew(argv: list[str]) -> None:
    if argv:
        app = need(argv)
        if not active(app):
            info(f"Letsencrypt not enabled for {app}")
            return
        renew(app)
        return
    header("Auto-renewing all apps...")
    failed = False
    for app in apps():
        if active(app):
            try:
                renew(app)
            except Failure as failure:
                warn(failure.message)
                failed = True
    header("Finished auto-renewal")
    if failed:
        raise Failure()


def renew(app: str) -> None:
    grace = int(values(app)["computed-graceperiod"])
    remaining = expires(app) - int(time.time())
    if remaining > grace:
        info(f"{app} still has {left(remaining - grace)} left before renewal")
        return
    request(app)


def disable(argv: list[str]) -> None:
    app = need(argv)
    info("Disabling letsencrypt for app")
    verbose(f"Removing letsencrypt files for {app}")
    subprocess.run(["rm", "-rf", str(folder(app))])
    verbose(f"Removing SSL endpoint from {app}")
    drop(app)
    info("Done")


def revoke(argv: list[str]) -> None:
    app = need(argv)
    if active(app):
        refuse("letsencrypt:revoke of an active certificate")
    header(f"Revoke letsencrypt certificate from {app}...")
    info(f"Revoking letsencrypt certificate for {app} via HTTP-01")
    sys.stdout.flush()
    for domain in read_state(app)["domains"]:
        sys.stderr.write(f"        - Domain '{domain}'\n")
    verbose("simulated lego: no ACME server reachable")
    info("Certificate revocation failed (code 1)!")
    info("Done")


def cleanup(argv: list[str]) -> None:
    if not active(need(argv)):
        raise Failure("Cannot resolve the 'current' certificate directory!")


def cron_job(argv: list[str]) -> None:
    _, flags = parse(argv, "add remove")
    file = LIB / "data/simulator/letsencrypt-cron"
    if "add" in flags:
        if not file.exists():
            sys.stderr.write("no crontab for dokku\n")
        file.write_text(CRON + "\n")
        crontab(f"\n{CRON}\n")
        info("Added cron job to dokku's crontab.")
    elif "remove" in flags:
        file.unlink(missing_ok=True)
        crontab("")
        info("Removed cron job from dokku's crontab.")
    elif file.exists():
        header("Auto-renew cron job is enabled")
    else:
        header("Auto-renew cron job is not enabled")
        verbose("Run 'dokku letsencrypt:cron-job --add' to enable.")


def crontab(text: str) -> None:
    if HOST:
        subprocess.run(["crontab", "-"], input=text, text=True, capture_output=True)


COMMANDS: dict[str, Command] = {
    "letsencrypt:report": reporter("letsencrypt", values, short=True),
    "letsencrypt:set": let_set,
    "letsencrypt:list": let_list,
    "letsencrypt:active": show_active,
    "letsencrypt:enable": enable,
    "letsencrypt:auto-renew": auto_renew,
    "letsencrypt:disable": disable,
    "letsencrypt:revoke": revoke,
    "letsencrypt:cleanup": cleanup,
    "letsencrypt:cron-job": cron_job,
}
