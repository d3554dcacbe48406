"""The proxy. Only a host that is nothing else has one; elsewhere its lines are said, and that is all."""

from __future__ import annotations

import subprocess

from .core import HOME, HOST, Failure, containers, info, inspect, read_state, verbose, warn


def ports_of(app: str) -> list[list[str]]:
    known = read_state(app)
    return [port.split(":") for port in known["ports"] or known["ports_detected"] or ["http:80:5000"]]


def urls(app: str) -> list[str]:
    known = read_state(app)
    ports = known["ports"] or known["ports_detected"]
    return [
        f"http://{domain}" + ("" if port.split(":")[1] == "80" else f":{port.split(':')[1]}")
        for domain in known["domains"]
        for port in ports
    ]


def has_certificate(app: str) -> bool:
    return (HOME / app / "tls/server.crt").exists()


def configure_proxy(app: str) -> None:
    domains = sorted(read_state(app)["domains"])
    for domain in domains:
        info(f"Configuring {domain}...(using built-in template)")
    info(f"Creating {'https' if has_certificate(app) else 'http'} nginx.conf")
    file = HOME / app / "nginx.conf"
    if HOST and file.exists():
        before = file.read_text()
        file.write_text(configuration(app, domains))
        checked = subprocess.run(["sudo", "-n", "/usr/sbin/nginx", "-t"], capture_output=True, text=True)
        if checked.returncode:
            file.write_text(before)
            warn("Failed to validate nginx configuration:")
            raise Failure(checked.stderr.strip())
    verbose("Reloading nginx")
    if HOST and file.exists():
        subprocess.run(["sudo", "-n", "/usr/bin/systemctl", "reload", "nginx"], capture_output=True)


def configuration(app: str, domains: list[str]) -> str:
    """One server for all domains, before all web containers of the app."""
    properties = read_state(app).get("nginx", {})
    addresses = [
        inspect(cid, "{{.NetworkSettings.IPAddress}}")
        for dyno, cid in containers(app).items()
        if dyno.startswith("web.")
    ]
    _, outer, inner = ports_of(app)[0]
    name = f"{app}-{inner}"
    servers = "".join(f"  server {address}:{inner};\n" for address in addresses if address)
    upstream = f"upstream {name} {{\n{servers}}}\n" if servers else ""
    settings = "".join(
        f"  {key.replace('-', '_')} {properties[key]};\n"
        for key in ("client-max-body-size", "proxy-read-timeout")
        if properties.get(key)
    )
    to = (
        f"proxy_pass http://{name}; proxy_http_version 1.1; proxy_set_header Host $http_host; "
        "proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Request-Id $request_id; "
        "proxy_set_header X-Forwarded-Proto $scheme;"
        if servers
        else "return 502;"
    )
    common = (
        f"  server_name {' '.join(domains) or '_'};\n"
        f"  access_log /var/log/nginx/{app}-access.log;\n  error_log /var/log/nginx/{app}-error.log;\n{settings}"
    )
    if not has_certificate(app):
        listen = f"  listen {outer};\n  listen [::]:{outer};\n"
        return f"{upstream}server {{\n{listen}{common}  location / {{ {to} }}\n}}\n"
    tls = HOME / app / "tls"
    hsts = "" if properties.get("hsts") == "false" else "  add_header Strict-Transport-Security max-age=15724800;\n"
    return (
        f"{upstream}server {{\n  listen 80;\n  listen [::]:80;\n{common}"
        "  location / { return 301 https://$host$request_uri; }\n}\n"
        f"server {{\n  listen 443 ssl;\n  listen [::]:443 ssl;\n{common}{hsts}"
        f"  ssl_certificate {tls}/server.crt;\n  ssl_certificate_key {tls}/server.key;\n  location / {{ {to} }}\n}}\n"
    )
