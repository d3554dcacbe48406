#!/bin/bash
# Guarantees a reachable Docker engine and the image debian:trixie-slim. Says what it did; silent when all is there.
set -euo pipefail

base=debian:trixie-slim

reachable() { docker version >/dev/null 2>&1; }

die() { # line...
    printf 'engine.sh: %s\n' "$@" >&2
    exit 1
}

is_debian_root() { [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null; }

install_missing() { # package...
    local missing=() package
    for package in "$@"; do
        dpkg-query --show --showformat '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    echo "Installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# On cgroup v1 all containers together weigh as much as one process, so a busy machine would starve the lab: give them
# the weight of sixteen.
weigh_containers() {
    local folder=/sys/fs/cgroup/cpu/docker
    [ -w /sys/fs/cgroup/cpu/cpu.shares ] || return 0
    mkdir -p "$folder"
    echo 16384 >"$folder/cpu.shares"
}

start_engine() {
    is_debian_root ||
        die "no Docker engine answers: $(docker version 2>&1 | tail -n 1)" \
            "Start one and let $(id -un) use it, or run this as root on Debian to have one installed."
    install_missing docker.io iptables
    # From Debian 13 on the client is a package of its own.
    command -v docker >/dev/null || install_missing docker-cli
    reachable && return 0
    if [ -d /run/systemd/system ]; then
        systemctl start docker.service
    elif ! pidof dockerd >/dev/null; then
        weigh_containers
        setsid dockerd >/var/log/dockerd.log 2>&1 </dev/null 9>&- &
    fi
    local _
    for _ in $(seq 600); do
        reachable && { echo "Started dockerd"; return 0; }
        sleep 0.5
    done
    die "dockerd does not answer; see /var/log/dockerd.log or 'journalctl -u docker'."
}

# The mirror is the one this machine uses: the address differs from machine to machine.
own_mirror() {
    # shellcheck disable=SC2016  # apt expands these, not the shell
    apt-get indextargets --format '$(SITE)|$(ORIGIN)|$(LABEL)' 'Created-By: Packages' |
        awk -F'|' '$2 == "Debian" && $3 == "Debian" { print $1; exit }'
}

get_base() {
    docker pull --quiet "$base" >/dev/null 2>&1 && { echo "Pulled $base"; return 0; }
    is_debian_root ||
        die "$base can be neither found nor pulled: $(docker pull --quiet "$base" 2>&1 | tail -n 1)" \
            "Import an image under that name, or run this as root on Debian to have one bootstrapped."
    install_missing mmdebstrap
    local mirror
    mirror=$(own_mirror)
    [ -n "$mirror" ] || die "apt names no Debian archive to bootstrap $base from."
    echo "Bootstrapping $base with mmdebstrap"
    mmdebstrap --quiet --variant=minbase trixie - "$mirror" | docker import - "$base" >/dev/null
}

has_base() { docker image inspect "$base" >/dev/null 2>&1; }

if reachable && has_base; then exit 0; fi
# Two that start on a new machine would disturb each other's installation.
exec 9>>"${TMPDIR:-/tmp}/ops-runbook-engine.$(id -u).lock"
flock 9
reachable || start_engine
has_base || get_base
