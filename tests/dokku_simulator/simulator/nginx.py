"""The proxy. Only a host that is nothing else has one; elsewhere its lines are said, and that is all."""

from __future__ import annotations

import subprocess
import sys

from .core import (
    HOME,
    HOST,
    LIB,
    Command,
    Failure,
    apps,
    containers,
    header,
    info,
    inspect,
    parse,
    read_state,
    refuse,
    say,
    state,
    verbose,
    verify,
    warn,
)
from .properties import only_known, properties, reporter, set_property, three

SETTABLE = (
    "access-log-format, access-log-path, bind-address-ipv4, bind-address-ipv6, client-body-timeout, "
    "client-header-timeout, client-max-body-size, disable-custom-config, error-log-path, hsts, "
    "hsts-include-subdomains, hsts-preload, hsts-max-age, keepalive-timeout, lingering-timeout, nginx-conf-sigil-path, "
    "nginx-service-command, proxy-buffer-size, proxy-buffering, proxy-buffers, proxy-busy-buffers-size, "
    "proxy-connect-timeout, proxy-read-timeout, proxy-send-timeout, proxy-keepalive, send-timeout, "
    "underscore-in-headers, x-forwarded-for-value, x-forwarded-port-value, x-forwarded-proto-value, x-forwarded-ssl"
)
DEFAULTS = {
    "bind-address-ipv6": "::",
    "client-max-body-size": "1m",
    "disable-custom-config": "false",
    "hsts": "true",
    "hsts-include-subdomains": "true",
    "hsts-max-age": "15724800",
    "hsts-preload": "false",
    "keepalive-timeout": "75s",
    "lingering-timeout": "5s",
    "nginx-conf-sigil-path": "nginx.conf.sigil",
    "proxy-buffer-size": "4k",
    "proxy-buffering": "on",
    "proxy-buffers": "8 4k",
    "proxy-busy-buffers-size": "8k",
    "underscore-in-headers": "off",
    "x-forwarded-for-value": "$remote_addr",
    "x-forwarded-port-value": "$server_port",
    "x-forwarded-proto-value": "$scheme",
    **dict.fromkeys(
        (
            "client-body-timeout",
            "client-header-timeout",
            "proxy-connect-timeout",
            "proxy-read-timeout",
            "proxy-send-timeout",
            "send-timeout",
        ),
        "60s",
    ),
}

#: What the template writes under a name of nginx that is that of the property.
DIRECTIVES = (
    "client-body-timeout",
    "client-header-timeout",
    "client-max-body-size",
    "keepalive-timeout",
    "lingering-timeout",
    "proxy-buffer-size",
    "proxy-buffering",
    "proxy-buffers",
    "proxy-busy-buffers-size",
    "proxy-connect-timeout",
    "proxy-read-timeout",
    "proxy-send-timeout",
    "send-timeout",
)


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
    known = read_state(app)
    domains = sorted(known["domains"])
    if known.get("proxy_disabled"):
        info(f"Nginx support is disabled for app ({app})")
        return
    for domain in domains:
        info(f"Configuring {domain}...(using built-in template)")
    info(f"Creating {'https' if has_certificate(app) else 'http'} nginx.conf")
    if has_certificate(app) and properties(app, "nginx").get("hsts", "true") != "false":
        verbose("Enabling HSTS (using built-in template)")
    file = HOME / app / "nginx.conf"
    if HOST and file.exists():
        file.write_text(configuration(app, domains))
    verbose("Reloading nginx")
    # What nginx refuses of one app stays where it is, and fails this for every app.
    validate([])
    if HOST and file.exists():
        subprocess.run(["sudo", "-n", "/usr/bin/systemctl", "reload", "nginx"], capture_output=True)


def configuration(app: str, domains: list[str]) -> str:
    """One server for all domains, before all web containers of the app."""
    own = properties(app, "nginx")
    addresses = [
        inspect(cid, "{{.NetworkSettings.IPAddress}}")
        for dyno, cid in containers(app).items()
        if dyno.startswith("web.")
    ]
    _, outer, inner = ports_of(app)[0]
    name = f"{app}-{inner}"
    servers = "".join(f"  server {address}:{inner};\n" for address in addresses if address)
    upstream = f"upstream {name} {{\n{servers}}}\n" if servers else ""
    found = values(app)
    settings = "".join(f"  {key.replace('-', '_')} {found[f'computed-{key}']};\n" for key in DIRECTIVES)
    form = found["computed-access-log-format"]
    logs = (
        f"  access_log {found['computed-access-log-path']}{f' {form}' if form else ''};\n"
        f"  error_log {found['computed-error-log-path']};\n  include {HOME / app}/nginx.conf.d/*.conf;\n"
    )
    to = (
        f"proxy_pass http://{name}; proxy_http_version 1.1; proxy_set_header Host $http_host; "
        "proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Request-Id $request_id; "
        "proxy_set_header X-Forwarded-Proto $scheme;"
        if servers
        else "return 502;"
    )
    common = (
        f"  server_name {' '.join(domains) or '_'};\n{logs}"
        f"  underscores_in_headers {found['computed-underscore-in-headers']};\n{settings}"
    )
    if not has_certificate(app):
        listen = f"  listen {outer};\n  listen [::]:{outer};\n"
        return f"{upstream}server {{\n{listen}{common}  location / {{ {to} }}\n}}\n"
    tls = HOME / app / "tls"
    hsts = "" if own.get("hsts") == "false" else "  add_header Strict-Transport-Security max-age=15724800;\n"
    return (
        f"{upstream}server {{\n  listen 80;\n  listen [::]:80;\n{common}"
        "  location / { return 301 https://$host$request_uri; }\n}\n"
        f"server {{\n  listen 443 ssl;\n  listen [::]:443 ssl;\n{common}{hsts}"
        f"  ssl_certificate {tls}/server.crt;\n  ssl_certificate_key {tls}/server.key;\n  location / {{ {to} }}\n}}\n"
    )


def values(app: str) -> dict[str, str]:
    logs = {f"{kind}-log-path": f"/var/log/nginx/{app}-{kind}.log" for kind in ("access", "error")}
    found = three(app, "nginx", SETTABLE.replace(",", ""), {**DEFAULTS, **logs})
    return dict(sorted({**found, "last-visited-at": ""}.items()))


def nginx_set(argv: list[str]) -> None:
    """An app that is not there is no error, and gets a folder of properties."""
    app, key, value = (argv + ["", "", ""])[:3]
    if not app:
        refuse("nginx:set without an app")
    if not key:
        raise Failure("No key specified")
    only_known(key, SETTABLE, "key", "keys")
    if app != "--global" and not (HOME / app).is_dir():
        (LIB / "config/nginx" / app).mkdir(parents=True, exist_ok=True)
        header(f"Setting {key} to {value}" if value else f"Unsetting {key}")
        return
    set_property(app, "nginx", key, value)


def show_config(argv: list[str]) -> None:
    app = argv[0] if argv else ""
    if not app or not (HOME / app).is_dir():
        raise Failure(f"App {app} does not exist", 20)
    if not HOST:
        refuse("nginx:show-config where no nginx is")
    say((HOME / app / "nginx.conf").read_text())


def validate(argv: list[str]) -> None:
    """The whole configuration, whatever app is named. Of a missing app no word is said either.

    The real one prints each refused file of an app after a line of its own, and then what nginx says.
    """
    if not HOST:
        return
    checked = subprocess.run(["sudo", "-n", "/usr/sbin/nginx", "-t"], capture_output=True, text=True)
    if checked.returncode == 0:
        return
    for app in apps():
        file = HOME / app / "nginx.conf"
        # The real one asks nginx for each file; nginx says in which it stopped.
        if f"{HOME / app}/" in checked.stderr and file.exists():
            warn(f"Failed to validate nginx config for {app}. Contents below...")
            say(file.read_text())
    sys.stdout.flush()
    sys.stderr.write(checked.stderr)
    sys.stderr.flush()
    raise Failure("", checked.returncode, bare=True)


def reload(argv: list[str]) -> None:
    if HOST:
        subprocess.run(["sudo", "-n", "/usr/bin/systemctl", "reload", "nginx"], capture_output=True)


def logs(argv: list[str], kind: str) -> None:
    app = verify(argv[0] if argv else "")
    if len(argv) > 1:
        refuse(f"nginx:{kind}-logs {argv[1]}")
    if not HOST:
        refuse(f"nginx:{kind}-logs where no nginx is")
    subprocess.run(["tail", "-n", "100", f"/var/log/nginx/{app}-{kind}.log"])


def build_config(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if containers(app):
        info(f"Ensuring network configuration is in sync for {app}")
    configure_proxy(app)
    if not containers(app):
        warn(f"No web listeners specified for {app}")


def proxy_values(app: str) -> dict[str, str]:
    disabled = bool(read_state(app).get("proxy_disabled"))
    port = "" if disabled else "80"
    return {
        "computed-disabled": str(disabled).lower(),
        "computed-proxy-port": port,
        "computed-proxy-ssl-port": "443" if has_certificate(app) and not disabled else "",
        "computed-type": "nginx",
        "disabled": "true" if disabled else "",
        "enabled": str(not disabled).lower(),
        "global-proxy-port": "",
        "global-proxy-ssl-port": "",
        "global-type": "",
        "proxy-port": port,
        "proxy-ssl-port": "",
        "type": "",
    }


def proxy_switch(argv: list[str], enable: bool) -> None:
    from .scheduler import scheduler_deploy

    app = verify(argv[0] if argv else "")
    info(f"{'Enabling' if enable else 'Disabling'} proxy for app")
    with state(app) as known:
        known["proxy_disabled"] = not enable
    if not enable:
        info("App virtual host support disabled")
    configure_proxy(app)
    if not enable:
        info("Deleting nginx.conf")
        info("Reloading nginx after nginx.conf deletion")
        reload([])
    if containers(app):
        scheduler_deploy(app, "latest")


def show_urls(argv: list[str]) -> None:
    words, _ = parse(argv, "")
    for url in urls(verify(words[0] if words else "")):
        say(url)


COMMANDS: dict[str, Command] = {
    "nginx:report": reporter("nginx", values, short=True),
    "nginx:set": nginx_set,
    "nginx:show-config": show_config,
    "nginx:validate-config": validate,
    "nginx:reload": reload,
    "nginx:access-logs": lambda argv: logs(argv, "access"),
    "nginx:error-logs": lambda argv: logs(argv, "error"),
    "proxy:report": reporter("proxy", proxy_values),
    "proxy:build-config": build_config,
    "proxy:disable": lambda argv: proxy_switch(argv, False),
    "proxy:enable": lambda argv: proxy_switch(argv, True),
    "urls": show_urls,
}
