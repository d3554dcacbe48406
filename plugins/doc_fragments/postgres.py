# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The description of a PostgreSQL cluster. Written by `make generate` from the role's argument specs."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  service:
    description:
      - A PostgreSQL cluster as the inventory describes it.
    type: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the cluster, on the screen and in metrics.
        type: str
        required: true
      stanza:
        description:
          - Stanza of pgBackRest that backs the cluster up.
        type: str
        required: true
      user:
        description:
          - User of the host who owns the cluster and runs pgBackRest.
        type: str
        default: postgres
      pgbackrest:
        description:
          - Path of pgBackRest, as the rules of sudo have it.
        type: str
        default: /usr/bin/pgbackrest
      psql:
        description:
          - The command psql, with options where it needs any.
        type: str
        default: psql
      connection:
        description:
          - What psql connects to, as words of libpq or an address without a password. Write a password into
            C(~/.pgpass) of the user who connects.
        type: str
        default: dbname=postgres
      repository_folder:
        description:
          - Folder of the repository on the host, of which the free room is shown. Empty for object storage.
        type: path
        default: ""
      drill_program:
        description:
          - Path of the program that a restore drill runs as root, as its rule of sudo has it.
        type: path
        default: /usr/local/sbin/postgres-drill
"""

    LIMITS = r"""
options:
  max_age:
    description:
      - Hours after which the newest backup is overdue.
    type: int
    default: 26
  full_days:
    description:
      - Days after which the newest full backup is overdue. A restore replays all WAL since then.
    type: int
    default: 8
  shrink:
    description:
      - Percent by which the newest full backup may be smaller than those before it.
    type: int
    default: 50
  archive_minutes:
    description:
      - Minutes for which a finished WAL file may wait to be archived.
    type: int
    default: 15
  archive_files:
    description:
      - WAL files by which the repository may be behind the server.
    type: int
    default: 8
  drill_days:
    description:
      - Days after which the last good restore drill is overdue.
    type: int
    default: 15
  disk_warn:
    description:
      - Percent in use of a file system, or of its inodes, that is a warning.
    type: int
    default: 85
  disk_bad:
    description:
      - Percent in use of a file system, or of its inodes, that is bad.
    type: int
    default: 95
"""
