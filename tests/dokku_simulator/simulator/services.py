"""The commands of the plugins mysql and redis, on real servers in containers of the engine.

As in the real plugins the state of a service lies in services/<plugin>/<name>, its container is dokku.<plugin>.<name>,
and flags are taken only after the service's name. The images mysql and redis are those of service_image here: MariaDB
stands in for MySQL, so what `mysql:export` writes is worded as MariaDB's own dump.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from .config import restart_after, store
from .core import (
    COMMAND,
    DOCKER,
    LIB,
    OWNER,
    Command,
    Failure,
    apps,
    config,
    docker,
    header,
    image_id,
    info,
    read_config,
    refuse,
    say,
    state,
    trigger,
    verbose,
    verify,
    warn,
)

INSECURE = {
    "mysql": "mysql: [Warning] Using a password on the command line interface can be insecure.\n",
    "redis": "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe.\n",
}
INSECURE_DUMP = (
    "mysqldump: [Warning] Using a password on the command line interface can be insecure.\n"
    "Warning: A partial dump from a server that has GTIDs will by default include the GTIDs of all transactions, even"
    " those that changed suppressed parts of the database. If you don't want to restore GTIDs, pass"
    " --set-gtid-purged=OFF. To make a complete dump, pass --all-databases --triggers --routines --events. \n"
)
FLAGS = (
    "--config-dir --config-options --data-dir --dsn --exposed-ports --id --internal-ip --initial-network --links"
    " --post-create-network --post-start-network --service-root --status --version"
)


@dataclass(frozen=True)
class Plugin:
    """name: what stands before the colon. title: how messages call it. alias: of the variable that a link sets."""

    name: str
    title: str
    image: str
    port: int
    alias: str


PLUGINS = {
    "mysql": Plugin("mysql", "MySQL", "mysql:9.7.0", 3306, "DATABASE"),
    "redis": Plugin("redis", "Redis", "redis:8.8.0", 6379, "REDIS"),
}


class Service:
    """One service, which may not exist."""

    def __init__(self, plugin: Plugin, name: str) -> None:
        self.plugin, self.name = plugin, name
        self.root = LIB / "services" / plugin.name / name
        self.container = f"dokku.{plugin.name}.{name}"

    def read(self, file: str) -> str:
        path = self.root / file
        return path.read_text().strip() if path.exists() else ""

    @property
    def links(self) -> list[str]:
        return self.read("LINKS").split()

    @links.setter
    def links(self, apps: list[str]) -> None:
        (self.root / "LINKS").write_text("".join(f"{app}\n" for app in apps))

    @property
    def database(self) -> str:
        return re.sub(r"[.-]", "_", self.name)

    @property
    def host(self) -> str:
        return re.sub(r"[._]", "-", self.container)

    @property
    def url(self) -> str:
        if self.plugin.name == "redis":
            return f"redis://:{self.read('PASSWORD')}@{self.host}:6379"
        return f"mysql://mysql:{self.read('PASSWORD')}@{self.host}:3306/{self.database}"

    def url_for(self, app: str) -> str:
        """As the app has it: under a scheme of its own, where it sets one. `info --dsn` does not know that one."""
        scheme, rest = self.url.split("://", 1)
        return f"{read_config(app).get(f'{self.plugin.name.upper()}_DATABASE_SCHEME') or scheme}://{rest}"

    def variables(self, app: str) -> list[str]:
        return [key for key, value in read_config(app).items() if value.startswith(self.url_for(app))]

    @property
    def link_option(self) -> str:
        return f"--link {self.container}:{self.host}"

    @property
    def status(self) -> str:
        return docker("container", "inspect", "--format", "{{.State.Status}}", self.container, check=False) or "missing"

    # -- the container ---------------------------------------------------------------------------

    def start(self) -> None:
        arguments = ["--name", self.container, "--hostname", self.container, "--restart", "always"]
        arguments += ["--label", "dokku=service", "--label", f"dokku.service={self.plugin.name}"]
        arguments += ["--label", OWNER]
        if self.plugin.name == "mysql":
            environment = {
                "MYSQL_DATABASE": self.database,
                "MYSQL_PASSWORD": self.read("PASSWORD"),
                "MYSQL_ROOT_PASSWORD": self.read("ROOTPASSWORD"),
            }
            arguments += ["--volume", f"{self.root}/data:/var/lib/mysql"]
            command = ["mysqld"]
        else:
            environment = {}
            arguments += ["--volume", f"{self.root}/data:/data", "--volume", f"{self.root}/config:/usr/local/etc/redis"]
            command = ["redis-server", "/usr/local/etc/redis/redis.conf", "--bind", "0.0.0.0"]
        for name in environment:
            arguments += ["--env", name]
        made = docker("container", "create", *arguments, self.plugin.image, *command, env={**os.environ, **environment})
        (self.root / "ID").write_text(made + "\n")
        docker("container", "start", self.container)
        verbose("Waiting for container to be ready")
        self.wait()
        header(f"{self.plugin.title} container created: {self.name}")
        self.show()

    def wait(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self.client("SELECT 1;" if self.plugin.name == "mysql" else "PING\n").returncode == 0:
                return
            time.sleep(0.2)
        raise Failure(f"Timeout waiting for {self.container}:{self.plugin.port}")

    def client(self, text: str | None = None, root: bool = False, **more: object) -> subprocess.CompletedProcess[bytes]:
        """The server's own client, fed with a text or with what comes in."""
        if self.plugin.name == "mysql":
            password, user = (self.read("ROOTPASSWORD"), "root") if root else (self.read("PASSWORD"), "mysql")
            secret, argv = "MYSQL_PWD", ["mysql", f"--user={user}", f"--database={self.database}"]
        else:
            password, secret, argv = self.read("PASSWORD"), "REDISCLI_AUTH", ["redis-cli"]
        fed = {"input": text.encode(), "capture_output": True} if text is not None else {}
        return subprocess.run(  # type: ignore[call-overload, no-any-return]
            [DOCKER, "container", "exec", "--env", secret, "-i", self.container, *argv],
            env={**os.environ, secret: password},
            **{**fed, **more},
        )

    def stop(self, remove: bool) -> None:
        header("Pausing container")
        docker("container", "stop", "--time", "30", self.container)
        verbose("Container paused")
        if remove:
            verbose("Removing container")
            docker("container", "rm", "--force", self.container)

    def inside(self, script: str) -> None:
        """Files of the server's own user are removed from within a container, as the plugins do it."""
        mount = f"{self.root}:/service"
        docker("container", "run", "--rm", "--volume", mount, "--entrypoint", "sh", self.plugin.image, "-c", script)

    # -- what is shown ---------------------------------------------------------------------------

    def values(self) -> dict[str, str]:
        server = f"/var/lib/dokku/services/{self.plugin.name}/{self.name}"
        address = docker(
            "container", "inspect", "--format", "{{.NetworkSettings.IPAddress}}", self.container, check=False
        )
        ports = self.read("PORT")
        return {
            "Config dir": f"{server}/config",
            "Config options": "",
            "Data dir": f"{server}/data",
            "Dsn": self.url,
            "Exposed ports": f"{self.plugin.port}->{ports} " if ports else "-",
            "Id": self.read("ID"),
            "Internal ip": address,
            "Initial network": "",
            "Links": " ".join(self.links) + " " if self.links else "-",
            "Post create network": "",
            "Post start network": "",
            "Service root": server,
            "Status": self.status,
            "Version": self.read("VERSION") or self.plugin.image,
        }

    def show(self) -> None:
        header(f"{self.name} {self.plugin.name} service information")
        for name, value in self.values().items():
            verbose(f"{name + ':':<20} {value:<25}")


def find(plugin: Plugin, argv: list[str], missing: str = "Please specify a valid name for the service") -> Service:
    if not argv:
        raise Failure(missing)
    service = Service(plugin, argv[0])
    if not service.root.is_dir():
        raise Failure(f"{plugin.title} service {argv[0]} does not exist")
    return service


def services(plugin: Plugin) -> list[Service]:
    folder = LIB / "services" / plugin.name
    return [Service(plugin, path.name) for path in sorted(folder.iterdir())] if folder.is_dir() else []


def app_of(argv: list[str]) -> str:
    if len(argv) < 2 or argv[1].startswith("--"):
        raise Failure("Please specify an app to run the command on")
    return verify(argv[1])


# The commands.


def create(plugin: Plugin, argv: list[str]) -> None:
    name = argv[0] if argv else ""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise Failure("Please specify a valid name for the service. Valid characters are: [A-Za-z0-9_]+")
    service = Service(plugin, name)
    if service.root.exists():
        raise Failure(f"{plugin.title} service {name} already exists")
    image, version = plugin.image.split(":")
    for flag, value in zip(argv[1::2], argv[2::2], strict=False):
        if flag in ("--image", "-i"):
            image = value
        elif flag in ("--image-version", "-I"):
            version = value
        else:
            refuse(f"{plugin.name}:create {flag}")
    if f"{image}:{version}" != plugin.image:
        raise Failure(f"{plugin.title} image {image}:{version} pull failed")
    make(service)


def make(service: Service) -> None:
    if not image_id(service.plugin.image):
        raise Failure(f"{service.plugin.title} image {service.plugin.image} pull failed")
    for folder in ("data", "config"):
        (service.root / folder).mkdir(parents=True)
    service.links = []
    password = secrets.token_hex(32 if service.plugin.name == "redis" else 8)
    for file, value in {"PASSWORD": password, "ROOTPASSWORD": secrets.token_hex(8)}.items():
        if file == "PASSWORD" or service.plugin.name == "mysql":
            (service.root / file).write_text(value + "\n")
            (service.root / file).chmod(0o640)
    for file, value in zip(("IMAGE", "IMAGE_VERSION"), service.plugin.image.split(":"), strict=True):
        (service.root / file).write_text(value + "\n")
    (service.root / "DATABASE_NAME").write_text(service.database + "\n")
    (service.root / "UUID").write_text(f"{uuid.uuid4()}\n")
    if service.plugin.name == "redis":
        (service.root / "config/redis.conf").write_text(f"requirepass {password}\ndir /data\n")
    service.start()


def destroy(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    if service.links:
        raise Failure("Cannot delete linked service")
    if not set(argv[1:]) & {"--force", "-f"}:
        warn("WARNING: Potentially Destructive Action")
        warn(f"This command will destroy {service.name} {plugin.title} service.")
        warn(f'To proceed, type "{service.name}"')
        answer = sys.stdin.readline()
        say()
        if not answer:
            raise Failure("", 1)
        if answer.strip() != service.name:
            raise Failure(f"Confirmation did not match {service.name}. Aborted.")
    header(f"Deleting {service.name}")
    if service.status != "missing":
        service.stop(remove=True)
    verbose("Removing data")
    service.inside("rm -rf /service/data /service/config")
    shutil.rmtree(service.root)
    header(f"{plugin.title} container deleted: {service.name}")


def show_info(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    if not argv[1:]:
        service.show()
        return
    asked = argv[1].removeprefix("--").replace("-", " ").capitalize()
    if argv[1] not in FLAGS.split():
        raise Failure(f"Invalid flag passed, valid flags: {FLAGS}")
    if argv[2:]:
        return
    say(service.values()[asked])


def show_list(plugin: Plugin, argv: list[str]) -> None:
    found = services(plugin)
    if not found:
        warn(f"There are no {plugin.title} services")
        return
    header(f"{plugin.title} services")
    for service in found:
        say(service.name)


def exists(plugin: Plugin, argv: list[str]) -> None:
    info(f"Service {find(plugin, argv).name} exists")


def link(plugin: Plugin, argv: list[str]) -> None:
    app = app_of(argv)
    service = find(plugin, argv)
    flags = argv[2:]
    known = read_config(app)
    alias = flags[flags.index("--alias") + 1] if "--alias" in flags else plugin.alias
    present = service.variables(app)
    if present:
        raise Failure(f"Already linked as {present[0]}")
    if f"{alias}_URL" in known:
        if "--alias" in flags:
            raise Failure(f"Specified alias {alias} already in use")
        refuse(f"{plugin.name}:link of a second service")
    service.links = sorted({*service.links, app})
    with state(app) as kept:
        for phase in kept["docker_options"].values():
            phase.append(service.link_option)
    quiet = {"no-restart": "true"} if "--no-restart" in flags else {}
    store(app, {f"{alias}_URL": service.url_for(app)}, quiet)
    if quiet:
        verbose("Skipping restart of linked app")


def unlink(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    app = app_of(argv)
    variables = service.variables(app)
    drop_link(service, app)
    if not variables:
        raise Failure(f"Not linked to app {app}")
    quiet = {"no-restart": "true"} if "--no-restart" in argv[2:] else {}
    with config(app) as known:
        for key in variables:
            info(f"Unsetting {key}")
            del known[key]
    trigger("post-config-update", app, "unset", *variables)
    restart_after(app, quiet)
    if quiet:
        verbose("Skipping restart of linked app")


def drop_link(service: Service, app: str) -> None:
    service.links = [one for one in service.links if one != app]
    if app in apps():
        with state(app) as kept:
            for phase in kept["docker_options"].values():
                phase[:] = [option for option in phase if option != service.link_option]


def unlink_all(app: str) -> None:
    """The plugins' work when an app is destroyed; they name every service, linked or not."""
    for plugin in PLUGINS.values():
        for service in services(plugin):
            verbose(f"Unlinking from {service.name}")
            drop_link(service, app)


def linked(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    app = app_of(argv)
    # Its list of apps is not asked.
    if not service.variables(app):
        raise Failure(f"Service {service.name} is not linked to {app}")
    info(f"Service {service.name} is linked to {app}")


def links(plugin: Plugin, argv: list[str]) -> None:
    for app in find(plugin, argv).links:
        say(app)


def app_links(plugin: Plugin, argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    for service in services(plugin):
        if app in service.links:
            say(service.name)


def promote(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    app = app_of(argv)
    if read_config(app).get(f"{plugin.alias}_URL") == service.url:
        raise Failure(f"Service {service.name} already promoted as {plugin.alias}_URL")
    refuse(f"{plugin.name}:promote of another service")


def must_run(service: Service) -> None:
    if service.status == "missing":
        raise Failure(f"Error response from daemon: No such container: {service.container}", 1, bare=True)


def connect(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    must_run(service)
    tell(INSECURE[plugin.name])
    sys.exit(spoken(service.client(stderr=subprocess.PIPE)))


def tell(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def spoken(ran: subprocess.CompletedProcess[bytes]) -> int:
    """Errors in the words of the server that is stood in for, which does not quote the statement."""
    said = ran.stderr.decode(errors="replace").replace("MariaDB server version", "MySQL server version")
    quoting = False
    for line in said.splitlines():
        if line == "--------------":
            quoting = not quoting
        elif line.strip() and not quoting:
            tell(line + "\n")
    return ran.returncode


def export(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    must_run(service)
    if plugin.name == "mysql":
        tell(INSECURE_DUMP)
        dump = ["mysqldump", "--default-character-set=utf8mb4", "--user=root", "--single-transaction"]
        dump += ["--no-tablespaces", "--quick", service.database]
        environment = {**os.environ, "MYSQL_PWD": service.read("ROOTPASSWORD")}
        argv = [DOCKER, "container", "exec", "--env", "MYSQL_PWD", service.container, *dump]
        with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE) as ran:
            assert ran.stdout is not None
            add_position(service, ran.stdout)
        sys.exit(ran.returncode)
    service.client("SAVE\n")
    sys.exit(subprocess.run([DOCKER, "container", "exec", service.container, "cat", "/data/dump.rdb"]).returncode)


def add_position(service: Service, dump: IO[bytes]) -> None:
    """MySQL writes into each dump which transactions it has seen, and says so where MariaDB ends its header."""
    for line in dump:
        sys.stdout.buffer.write(line)
        if line.startswith(b"/*M!100616 SET @OLD_NOTE_VERBOSITY"):
            break
    position = f"SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '{service.read('UUID')}:1-9';\n"
    sys.stdout.buffer.write(f"\n--\n-- GTID state at the beginning of the backup \n--\n\n{position}".encode())
    shutil.copyfileobj(dump, sys.stdout.buffer)
    sys.stdout.flush()


def without_position(service: Service) -> IO[bytes]:
    """The import without the statements that MariaDB does not know. A server refuses a position that it has been at."""
    kept = os.fdopen(os.memfd_create("dump"), "w+b")
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.startswith(b"SET @@GLOBAL.GTID_PURGED="):
            kept.write(line)
        elif service.read("UUID").encode() in line:
            tell(INSECURE["mysql"])
            raise Failure(
                f"ERROR 3546 (HY000) at line {number}: @@GLOBAL.GTID_PURGED cannot be changed: the added gtid set must"
                " not overlap with @@GLOBAL.GTID_EXECUTED",
                1,
                bare=True,
            )
    kept.seek(0)
    return kept


def load(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    if plugin.name == "mysql":
        must_run(service)
        with without_position(service) as dump:
            tell(INSECURE["mysql"])
            sys.exit(spoken(service.client(root=True, stdin=dump, stderr=subprocess.PIPE)))
    if service.status != "missing":
        docker("container", "stop", "--time", "30", service.container)
        docker("container", "rm", "--force", service.container)
    service.inside("rm -f /service/data/dump.rdb")
    with (service.root / "data/dump.rdb").open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    # The real one starts it again without a word.
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        service.start()
        sys.stdout.flush()
    os.dup2(kept, 1)


def clone(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    other = Service(plugin, argv[1])
    if other.root.exists():
        raise Failure(f"Invalid service name {other.name}. Verify the service name is not already in use.")
    header(f"Cloning {service.name} to {other.name} @ {plugin.image}")
    make(other)
    info(f"Copying data from {service.name} to {other.name}")
    own = [str(COMMAND)]
    dumped = subprocess.Popen([*own, f"{plugin.name}:export", service.name], stdout=subprocess.PIPE)
    subprocess.run(
        [*own, f"{plugin.name}:import", other.name], stdin=dumped.stdout, stderr=subprocess.DEVNULL, check=True
    )
    dumped.wait()
    header("Done")


def start(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    if service.status == "running":
        warn("Service is already started")
        return
    header("Starting container")
    if service.status == "missing":
        service.start()
        return
    docker("container", "start", service.container)
    service.wait()
    header("Container started")


def stop(plugin: Plugin, argv: list[str], remove: bool = True) -> None:
    service = find(plugin, argv)
    if service.status == "missing":
        warn("Service is already paused")
        return
    service.stop(remove)


def restart(plugin: Plugin, argv: list[str]) -> None:
    stop(plugin, argv, remove=False)
    start(plugin, argv)
    info("Please call dokku ps:restart on all linked apps")


def enter(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    must_run(service)
    info("Filesystem changes may not persist after container restarts")
    sys.exit(
        subprocess.run([DOCKER, "container", "exec", "-i", service.container, *(argv[1:] or ["/bin/bash"])]).returncode
    )


def logs(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    refuse(f"{plugin.name}:logs {service.name}")


def expose(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    if not argv[1:]:
        refuse(f"{plugin.name}:expose without a port")
    (service.root / "PORT").write_text(argv[1] + "\n")
    info(f"Service {service.name} exposed on port(s) [container->host]: {plugin.port}->{argv[1]} ")


def unexpose(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    (service.root / "PORT").unlink(missing_ok=True)
    info(f"Service {service.name} unexposed")


def set_property(plugin: Plugin, argv: list[str]) -> None:
    find(plugin, argv)
    valid = "initial-network, post-create-network, post-start-network"
    if len(argv) < 2 or argv[1] not in valid.split(", "):
        raise Failure(f"Invalid key specified, valid keys include: {valid}")
    refuse(f"{plugin.name}:set {argv[1]}")


def upgrade(plugin: Plugin, argv: list[str]) -> None:
    find(plugin, argv)
    refuse(f"{plugin.name}:upgrade")


# Backups to a bucket: up to the upload, of which there is none.


def backup(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    if not argv[1:]:
        raise Failure("Please specify an aws bucket for the backup")
    flag = argv[2] if argv[2:] else ""
    if not flag:
        for file in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            if not (service.root / "backup" / file).exists():
                raise Failure(f"Missing {file} file")
    elif flag not in ("--use-iam", "-u"):
        raise Failure("Provide AWS credentials or use the --use-iam flag")
    if service.status == "missing":
        raise Failure("Service container does not exist")
    if plugin.name == "mysql":
        tell(INSECURE_DUMP)


def backup_auth(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    if not argv[1:]:
        raise Failure("Please specify an aws access key id")
    folder = service.root / "backup"
    if folder.exists():
        shown = f"/var/lib/dokku/services/{plugin.name}/{service.name}/backup"
        raise Failure(f"mkdir: cannot create directory \u2018{shown}\u2019: File exists", 1, bare=True)
    folder.mkdir()
    for file, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), argv[1:3], strict=True):
        (folder / file).write_text(value)


def backup_deauth(plugin: Plugin, argv: list[str]) -> None:
    shutil.rmtree(find(plugin, argv).root / "backup", ignore_errors=True)


def encryption(plugin: Plugin, argv: list[str]) -> None:
    find(plugin, argv)


def backup_schedule(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    if not argv[1:]:
        raise Failure("Please specify a schedule for the backup")
    if not argv[2:]:
        raise Failure("Please specify an aws bucket for the backup")
    flag = argv[3] if argv[3:] else ""
    if flag not in ("", "--use-iam"):
        raise Failure("Invalid flag provided, only '--use-iam' allowed")
    line = f"{argv[1]} dokku /usr/bin/dokku {plugin.name}:backup {service.name} {argv[2]} {flag}"
    (service.root / "CRON").write_text(line + "\n")


def backup_schedule_cat(plugin: Plugin, argv: list[str]) -> None:
    service = find(plugin, argv)
    if not (service.root / "CRON").exists():
        raise Failure(f"There is no scheduled backup for {service.name}.")
    sys.stdout.write((service.root / "CRON").read_text())


def backup_unschedule(plugin: Plugin, argv: list[str]) -> None:
    (find(plugin, argv).root / "CRON").unlink(missing_ok=True)


SUBCOMMANDS: dict[str, Callable[[Plugin, list[str]], None]] = {
    "app-links": app_links,
    "backup": backup,
    "backup-auth": backup_auth,
    "backup-deauth": backup_deauth,
    "backup-schedule": backup_schedule,
    "backup-schedule-cat": backup_schedule_cat,
    "backup-set-encryption": encryption,
    "backup-unschedule": backup_unschedule,
    "backup-unset-encryption": encryption,
    "clone": clone,
    "connect": connect,
    "create": create,
    "destroy": destroy,
    "enter": enter,
    "exists": exists,
    "export": export,
    "expose": expose,
    "import": load,
    "info": show_info,
    "link": link,
    "linked": linked,
    "links": links,
    "list": show_list,
    "logs": logs,
    "pause": lambda plugin, argv: stop(plugin, argv, remove=False),
    "promote": promote,
    "restart": restart,
    "set": set_property,
    "start": start,
    "stop": stop,
    "unexpose": unexpose,
    "unlink": unlink,
    "upgrade": upgrade,
}


def nosuch(plugin: Plugin, argv: list[str]) -> None:
    """A subcommand that no plugin has ends with 1, silently, as in the real ones."""
    raise Failure("", 1)


def answer(plugin: Plugin, sub: str) -> Command:
    def run(argv: list[str]) -> None:
        if argv[:1] == ["--help"]:
            refuse(f"{plugin.name}:{sub} --help")
        SUBCOMMANDS[sub](plugin, argv)

    return run


SUBCOMMANDS["nosuch"] = nosuch
COMMANDS: dict[str, Command] = {
    f"{plugin.name}:{sub}": answer(plugin, sub) for plugin in PLUGINS.values() for sub in SUBCOMMANDS
}
