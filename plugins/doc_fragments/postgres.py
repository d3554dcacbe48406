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
      engine:
        description:
          - V(pgbackrest) makes backups of the whole cluster with all of its WAL. V(dump) makes dumps of named
            databases, for a server to whose files nobody has access; a restore goes to the time of a dump alone.
        type: str
        choices: [pgbackrest, dump]
        default: pgbackrest
      stanza:
        description:
          - Stanza of pgBackRest that backs the cluster up. Empty is the name of the cluster.
        type: str
        default: ""
      databases:
        description:
          - Databases of the cluster. With C(postgres_engine=dump) they are dumped; a restored cluster has to have
            them, with what is expected of each.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description:
              - Name of the database. One that is dumped has letters, digits, C(.), C(_) and C(-).
            type: str
            required: true
          expect:
            description:
              - Least number of rows by table, such as V(public.orders).
            type: dict
            default: {}
          empty:
            description:
              - The database has no rows, and that is well.
            type: bool
            default: false
      backup_dir:
        description:
          - Folder of the dumps on the host. Empty puts them into C(backups) of the state folder.
        type: path
        default: ""
      programs:
        description:
          - Folder of pg_dump, pg_dumpall and pg_restore. Empty takes those that a login finds.
        type: path
        default: ""
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
  overdue:
    description:
      - Periods of the calendar after which the newest run of C(postgres_backup), or the newest reading of every file,
        is overdue. V(0) asks for neither. Give a larger number if your timers run less often than the calendar.
    type: int
    default: 2
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
