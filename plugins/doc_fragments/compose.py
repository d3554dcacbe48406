# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The description of a Compose service. Written by `make generate` from the role's argument specs."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  service:
    description:
      - A Compose service as the inventory describes it.
    type: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the service. Its state folder, and the records of its operations, are found by it.
        type: str
        required: true
      project_dir:
        description:
          - The folder with the compose files and C(.env), an absolute path on the host.
        type: path
        required: true
      images:
        description:
          - What a release pins, as a dictionary of Compose services and their repositories, such as
            C(backend=registry.example.com/acme/shop-backend). All of them are of one build. What is not named here
            stays as the compose file has it.
          - Name one-shot services that use an image of the release too, such as one that migrates before the others
            start. They are well once they ended with 0 from the wanted image.
        type: dict
        required: true
      files:
        description:
          - The compose files in their order, relative to O(service.project_dir). Empty takes what C(docker compose)
            itself would read there (C(COMPOSE_FILE) in C(.env), C(compose.yaml), and so on).
        type: list
        elements: str
        default: []
      project:
        description:
          - Name of the Compose project. Empty takes Compose's own.
        type: str
        default: ""
      pin:
        description:
          - Where the images of a release are written. V(file) edits their references in the compose file, and no
            other byte of it. V(override) writes O(service.pin_file) and leaves the compose files alone.
        type: str
        choices: [file, override]
        default: file
      pin_file:
        description:
          - For O(service.pin=override), the file with the pins, relative to O(service.project_dir).
        type: str
        default: docker-compose.pin.yml
      tag_prefix:
        description:
          - Text before the commit in an image's tag. V(to=abc1234) is tried with it first.
        type: str
        default: sha-
      source:
        description:
          - What the images must name as their source (C(org.opencontainers.image.source)). Empty takes what the
            images that run say.
        type: str
        default: ""
      hotfix_into:
        description:
          - Branches that a hotfix must be merged into, the trunk first. The result of a deploy with V(hotfix=true)
            names the merges that are due, and C(compose_diagnose) warns until they are done, where the source
            repository can be read from the host. Where it can't, it says so.
        type: list
        elements: str
        default: [main, staging]
      migration_service:
        description:
          - Service whose image has the Alembic migrations. Empty without migrations.
        type: str
        default: ""
      alembic:
        description:
          - The Alembic command in that image.
        type: str
        default: alembic
      alembic_config:
        description:
          - Path of C(alembic.ini) in that image. Empty takes the one in its working folder.
        type: str
        default: ""
      python:
        description:
          - The Python of that image that has Alembic.
        type: str
        default: python3
      registry_user:
        description:
          - User at the registry of O(service.images). Empty takes what C(docker login) left for the user who operates
            the service.
          - It is sent to one registry alone, O(service.registry_host).
        type: str
        default: ""
      registry_host:
        description:
          - The registry that O(service.registry_user) is of, such as V(registry.example.com:5000).
          - Empty means the only registry of O(service.images) that has no login in C(compose_registry_logins), Docker
            Hub left out where there is another one. Where there are several of them the login is sent to none, and
            the plan warns.
        type: str
        default: ""
      registry_timeout:
        description:
          - Seconds after which a registry that does not answer counts as down.
        type: float
        default: 10
      keep_releases:
        description:
          - How many good releases keep their images on the host, so that a rollback needs no registry. The present
            and the previous one always keep them.
        type: int
        default: 5
      disk_reserve:
        description:
          - MiB that must stay free on the engine's disk. Checked before a download, and half of it while one goes on.
        type: int
        default: 500
      command_timeout:
        description:
          - Seconds after which a command or a download is stopped. Migrations are never stopped.
        type: float
        default: 1800
      data_disposable:
        description:
          - Whether the data of the service may be lost. Only then do destructive commands run.
        type: bool
        default: false
      docker:
        description:
          - The Docker command.
        type: str
        default: docker
      env_file:
        description:
          - The file that sets the variables of the compose files, relative to O(service.project_dir).
        type: str
        default: .env
      inside_health:
        description:
          - What is asked from inside containers, with the C(wget), C(curl) or Python that they have.
        type: list
        elements: dict
        default: []
        suboptions:
          service:
            description:
              - Service in whose container it is asked.
            type: str
            required: true
          url:
            description:
              - Address as that container reaches it.
            type: str
            required: true
          contains:
            description:
              - A text that the answer must contain.
            type: str
            default: ""
      settle:
        description:
          - Seconds that a container without a health check must have run without a restart.
        type: float
        default: 3
      wait_timeout:
        description:
          - Seconds that C(docker compose up --wait) waits for the containers.
        type: int
        default: 120
"""

    LIMITS = r"""
options:
  log_lines:
    description:
      - Number of last lines shown of the log of a container that is not well.
    type: int
    default: 15
  bundle_lines:
    description:
      - Last lines of each log in the bundle.
    type: int
    default: 300
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
