# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts of a configuration and of containers that may be handed to somebody else: by a list of allowed keys.

A configuration has secrets in places that nobody can list: a command, a health check, a label, the options of a log.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import MASK, looks_secret, mask_named

#: Keys whose whole value may be seen, as Compose and the engine call them: states, times, sizes, names, addresses.
_SHOWN = frozenset(
    """
    image container_name hostname domainname restart user working_dir platform pull_policy stop_signal
    stop_grace_period init tty stdin_open privileged read_only network_mode pid ipc shm_size mem_limit
    mem_reservation memswap_limit cpus cpu_shares pids_limit oom_kill_disable oom_score_adj scale profiles
    depends_on condition required interval timeout start_period start_interval retries disable target published
    protocol host_ip mode source type bind volume tmpfs create_host_path external driver ipam attachable
    internal enable_ipv6 aliases ipv4_address priority cap_add cap_drop security_opt ulimits soft hard resources
    limits reservations memory replicas update_config restart_policy parallelism delay failure_action
    max_attempts window order dns dns_search expose name version services networks volumes configs secrets
    deploy ports healthcheck logging build context dockerfile devices group_add sysctls file Id Created Name
    RestartCount Driver Platform Image State Status Running Paused Restarting OOMKilled Dead Pid ExitCode Healthcheck
    StartedAt FinishedAt Health FailingStreak HostConfig Config NetworkSettings Mounts RestartPolicy
    MaximumRetryCount NetworkMode PortBindings HostPort HostIp Ports Networks IPAddress Gateway MacAddress
    IPPrefixLen NetworkID EndpointID Aliases DNSNames Hostname Domainname User WorkingDir Tty OpenStdin
    AttachStdin AttachStdout AttachStderr ExposedPorts StopSignal StopTimeout Type Source Destination RW
    Propagation Mode Memory MemorySwap MemoryReservation NanoCpus CpuShares CpuQuota CpuPeriod CpusetCpus
    PidsLimit ReadonlyRootfs Privileged ShmSize LogConfig AutoRemove Init OomScoreAdj OomKillDisable CapAdd
    CapDrop SecurityOpt Ulimits Soft Hard Interval Timeout StartPeriod Retries AppArmorProfile MountLabel
    ProcessLabel ExecIDs SizeRw SizeRootFs GraphDriver
    """.split()
)
#: Keys whose value is a map of names that people chose: the names may be seen, and below them the lists apply.
_BY_NAME = frozenset(
    "services networks volumes configs secrets depends_on Networks PortBindings Ports ExposedPorts sysctls".split()
)
#: Keys whose names may be seen and whose values may not.
_NAMES_ONLY = frozenset("environment Env args labels Labels options driver_opts Options".split())
#: Labels of the tools themselves.
_OWN_LABELS = ("com.docker.compose.", "org.opencontainers.image.")

#: A name of a file in the bundle; whoever unpacks it must get nothing outside of a folder of its own.
_FILE = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,127}/){0,2}[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,253}")


def may_be_shown(node: Any) -> Any:
    """A copy of a configuration, or of what the engine says of a container, with the values alone that may be seen."""
    if isinstance(node, Mapping):
        return {_name(key): _value(str(key), value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [may_be_shown(item) if isinstance(item, (Mapping, list)) else _masked(item) for item in node]
    return node if node is None or isinstance(node, (bool, int, float)) else MASK


def _value(key: str, value: Any) -> Any:
    if key in _NAMES_ONLY:
        return _names_only(value)
    if key in _BY_NAME and isinstance(value, Mapping):
        return {_name(name): _below(inner) for name, inner in value.items()}
    if key in _SHOWN:
        return _shown(value)
    if isinstance(value, (Mapping, list, tuple)) and not value:
        return value
    # Whatever a later version of Compose or of the engine brings: that it is there, and not what it is.
    return _masked(value)


def _below(value: Any) -> Any:
    return may_be_shown(value) if isinstance(value, Mapping) else _shown(value)


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return may_be_shown(value)
    if isinstance(value, (list, tuple)):
        return [_shown(item) for item in value]
    if isinstance(value, str):
        return mask_named(value)
    return value


def _masked(value: Any) -> Any:
    if value is None or isinstance(value, bool) or value in ("", [], {}):
        return value
    if isinstance(value, (list, tuple)):
        return [_masked(item) for item in value]
    return MASK


def _names_only(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            _name(name): _shown(given) if str(name).startswith(_OWN_LABELS) else None if given is None else MASK
            for name, given in value.items()
        }
    if isinstance(value, (list, tuple)):
        # NAME=value; an entry without a sign may be a name, and may be a value.
        names = [str(item).partition("=") for item in value]
        return [
            f"{_name(name)}={MASK}" if sign else name if re.fullmatch(r"[A-Z][A-Z0-9_]*", name) else MASK
            for name, sign, _value_ in names
        ]
    return _masked(value)


def _name(key: Any) -> str:
    """A name, which itself may have been made of a secret (a label of Traefik has a router, a user and a hash)."""
    text = mask_named(str(key))
    return MASK if looks_secret(text, 24) else text


def is_safe_name(name: str) -> bool:
    """True if a name of the bundle stays in its folder. Names of logs are of containers, and so of the host."""
    return bool(_FILE.fullmatch(name)) and ".." not in name


def file_for(path: str, host: str, several: bool) -> str:
    """The file of a host's bundle. `{host}` in the path is its name; of several hosts each has a file of its own."""
    name = folder_of(host)
    if "{host}" in path:
        return path.replace("{host}", name)
    if not several:
        return path
    folder, file = os.path.split(path)
    stem, dot, extension = file.partition(".")
    return os.path.join(folder, f"{stem}-{name}{dot}{extension}")


def folder_of(host: str) -> str:
    """The folder of a host in the bundle."""
    return host if _HOST.fullmatch(host) and ".." not in host else "host"
