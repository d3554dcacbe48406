"""Certificates that an app brings itself."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from .core import HOME, Command, Failure, info, refuse, verify
from .nginx import configure_proxy, has_certificate
from .properties import reporter


def openssl(file: Path, *what: str) -> str:
    ran = subprocess.run(["openssl", "x509", "-in", str(file), "-noout", *what], capture_output=True, text=True)
    return ran.stdout.strip().partition("=")[2].strip()


def values(app: str) -> dict[str, str]:
    folder = HOME / app / "tls"
    found = {"dir": f"/home/dokku/{app}/tls", "enabled": str(has_certificate(app)).lower()}
    file = folder / "server.crt"
    there = file.exists()
    subject = openssl(file, "-subject", "-nameopt", "compat").replace(" = ", "=") if there else ""
    issuer = openssl(file, "-issuer", "-nameopt", "compat").replace(" = ", "=") if there else ""
    names = openssl_names(file) if there else ""
    return {
        **found,
        "expires-at": openssl(file, "-enddate") if there else "",
        "hostnames": names or subject.rpartition("CN=")[2],
        "issuer": issuer,
        "starts-at": openssl(file, "-startdate") if there else "",
        "subject": subject,
        "verified": ("self signed" if subject == issuer else "verified by a certificate authority") if there else "",
    }


def openssl_names(file: Path) -> str:
    argv = ["openssl", "x509", "-in", str(file), "-noout", "-ext", "subjectAltName"]
    text = subprocess.run(argv, capture_output=True, text=True).stdout
    return " ".join(word.strip(" ,").removeprefix("DNS:") for word in text.split() if word.startswith("DNS:"))


def certs_add(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if len(argv) > 1:
        refuse("certs:add with files")
    data = sys.stdin.buffer.read()
    if not data:
        sys.exit(2)
    folder = HOME / app / "tls"
    folder.mkdir(exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                name = Path(member.name).name
                file = archive.extractfile(member)
                if file and name in ("server.crt", "server.key"):
                    (folder / name).write_bytes(file.read())
                    (folder / name).chmod(0o600)
    except tarfile.TarError:
        refuse("certs:add of a file that is not a tar")
    noted("extraction_started")
    noted("extraction_completed")
    configure_proxy(app)


def noted(event: str) -> None:
    sys.stderr.write(
        f"[archive-security] timestamp=0 user=root event={event} archive_type=tar source=/tmp/dokku-1-archive.x "
        "details=dest=/tmp/dokku-1-cmd-certs-set.x\n"
    )


def certs_remove(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if not has_certificate(app):
        raise Failure("An app-specific SSL endpoint is not defined")
    info(f"Removing SSL endpoint from {app}")
    drop(app)


def drop(app: str) -> None:
    for name in ("server.crt", "server.key"):
        (HOME / app / "tls" / name).unlink(missing_ok=True)
    configure_proxy(app)


COMMANDS: dict[str, Command] = {
    "certs:report": reporter("certs", values, short=True, title="ssl"),
    "certs:add": certs_add,
    "certs:remove": certs_remove,
}
