# `make help` says what there is. Everything is installed into $(VENV); on Debian as root the lab also installs
# the Docker engine and makes its base image (molecule/shared/hosts/engine.sh).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
# The ansible-core to install, such as 2.20, into a venv of its own; without it, the newest that PYTHON takes. Each of
# CORES is supported.
CORE ?=
CORES ?= 2.19 2.20 2.21
VENV ?= .venv$(if $(CORE),-core-$(CORE))
# What `make matrix` looks for: the oldest and the newest that are supported, and what lies between.
PYTHONS ?= 3.11 3.12 3.13
# `make molecule` runs the core of every scenario. One whole scenario: make molecule SCENARIOS=dokku TESTS=all
export SCENARIOS ?=
export TESTS ?= core
# Where tests/run.py wants the results of a target's tests.
JUNIT = $(if $(RESULTS),--junitxml=$(RESULTS)/$@.xml)
WORKFLOWS := $(wildcard .github/workflows/*.yml)
BIN := $(abspath $(VENV))/bin
# A world-writable checkout or an exported collections path would switch ansible.cfg off.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PATH := $(BIN):$(PATH)
unexport ANSIBLE_COLLECTIONS_PATH ANSIBLE_INVENTORY PYTHONPATH

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "ops.runbook needs Python 3.11 or newer, and '$(PYTHON)' is not: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@command -v uv >/dev/null || $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "the modules venv and ensurepip of $(PYTHON) are missing. On Debian: apt install python3-venv" >&2; exit 1; }
	@echo "installing the development tools into $(VENV)"
	@if command -v uv >/dev/null; then test -x $(BIN)/python || uv venv --quiet --seed --python $(PYTHON) $(VENV); \
	  else test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); fi
	@# Not the project itself: an installed copy would stand beside the checkout's own files.
	@$(BIN)/python -c 'import sys, tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	  print(*p["dependencies"], *p["optional-dependencies"]["dev"], *sys.argv[1:], sep="\n")' \
	  $(if $(CORE),"ansible-core==$(CORE).*") > $(VENV)/requirements.txt
	@# uv does not read pip's settings, where a company's package index often stands.
	@if command -v uv >/dev/null && uv pip install --quiet --python $(BIN)/python -r $(VENV)/requirements.txt; then :; else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(VENV)/requirements.txt; fi
	@$(BIN)/python -c 'import ansible, molecule, pytest, hypothesis, requests' \
	  || { echo "the development tools could not be installed into $(VENV)" >&2; exit 1; }
	@touch $@

.PHONY: venv
venv: $(VENV)/.installed ## Install what development and tests need

.PHONY: engine
engine:
	@molecule/shared/hosts/engine.sh

.PHONY: images
images: venv ## Build the images of the lab's hosts
	@ansible-playbook molecule/shared/hosts/images.yml

.PHONY: demo
demo: venv engine ## Show the whole story on a real host in a container
	@$(BIN)/python tools/demo/demo.py

.PHONY: demo-down
demo-down: venv ## Remove the demo's host
	@$(BIN)/python tools/demo/demo.py --down

.PHONY: test
test: venv ## Run every check: lint, types, unit, packaging, and the core of every system on real hosts
	@$(BIN)/python tests/run.py

.PHONY: test-all
test-all: venv ## Run every test of every scenario too, and go on where it was cut off: hours
	@$(BIN)/python tests/run.py --all

.PHONY: lint
lint: venv ## ruff, imports, yamllint, ansible-lint, shellcheck, workflows of CI, changelog, documentation of plugins and roles
	@ruff check --quiet . && ruff format --quiet --check . && yamllint --strict . && ansible-lint -q
	@$(BIN)/python tools/floors.py > $(abspath $(VENV))/imports.log || { cat $(abspath $(VENV))/imports.log; exit 1; }
	@antsibull-changelog lint
	@antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck --validate-collection-refs self .
	@if command -v shellcheck >/dev/null; then git grep -lzE '^#!(/usr/bin/env bash|/bin/bash|/bin/sh)$$' -- ':!*.py' ':!*.md' | xargs -0 shellcheck -x; \
	  else echo "shellcheck is not installed: the shell scripts were not checked"; fi
	@check-jsonschema --quiet --builtin-schema vendor.github-workflows $(WORKFLOWS)
	@zizmor --offline --quiet --no-progress $(WORKFLOWS)
	@# It checks expressions too, but registries have only an old one, or one that downloads itself.
	@if command -v actionlint >/dev/null; then actionlint $(WORKFLOWS); fi

.PHONY: types
types: venv ## mypy --strict on plugins/
	@mypy

.PHONY: unit
unit: venv ## Unit tests of the rules, and the documentation of every plugin
	@pytest -q -n 2 $(JUNIT) tests/unit tests/sanity

.PHONY: simulator
simulator: venv engine ## Hold the Dokku simulator against what a real one answered
	@pytest -q -n 2 --dist loadfile $(JUNIT) tests/dokku_simulator/test_facts.py tests/dokku_simulator/test_quirks.py

.PHONY: plugin
plugin: venv engine ## Try the plugin releases on the Dokku simulator: its commands, its faults, what is cut off
	@pytest -q $(JUNIT) tests/dokku_simulator/test_releases.py tests/dokku_simulator/test_faults.py tests/dokku_simulator/test_strays.py

.PHONY: replay
replay: venv engine ## Replay recorded sessions of a real Dokku against the simulator, where DOKKU_TRANSCRIPTS has them
	@pytest -q $(JUNIT) tests/dokku_simulator/test_replay.py

.PHONY: histories
histories: venv engine ## Play N random histories of SYSTEM from SEED on its hosts; REPLAY='<line>', DEFECT=<name>
	@$(BIN)/python molecule/shared/histories/main.py --system $(or $(SYSTEM),laravel) -n $(or $(N),10) --seed $(or $(SEED),1) \
	  $(if $(REPLAY),--replay '$(REPLAY)') $(if $(DEFECT),--defect $(DEFECT)) $(if $(WRITE),--write)

.PHONY: contract
contract: venv ## Hold every request to GitHub against its own description; fetches it and Prism with npm
	@pytest -q -rs $(JUNIT) tests/contract

.PHONY: packaging
packaging: venv ## Build the wheel and the Galaxy tarball, install both, run a procedure from each
	@pytest -q $(JUNIT) tests/packaging

.PHONY: sanity
sanity: venv ## ansible-test sanity; modules are also imported under Python 3.9, where it is installed
	@python tests/sanity/ansible_test.py

.PHONY: importer
importer: venv ## Galaxy's own importer on the built collection
	@python tests/packaging/importer.py

.PHONY: molecule
molecule: venv ## Procedures on real hosts: the cores, or SCENARIOS="…" with TESTS=all
	@$(BIN)/python tests/run.py molecule

.PHONY: scenarios
scenarios: ## The scenarios of `make molecule` as JSON, for a job each in CI: those with a core, or with TESTS=all every one
	@$(PYTHON) -c 'import json, pathlib; print(json.dumps(sorted(path.parent.name \
	  for path in pathlib.Path("molecule").glob("*/molecule.yml") \
	  if any("$(TESTS)" == "all" or "mark.core(" in test.read_text() for test in path.parent.glob("tests/test_*.py")))))'

.PHONY: mutations
mutations: venv ## Change the product in small ways, and list what no test notices; FILES="guard/lease.py" for a part
	@nice -n 19 $(BIN)/python -m tools.mutations $(FILES)

.PHONY: screens
screens: venv engine ## Record the screens of docs/reference/ops-runbook.md anew, on the demo's host
	@$(BIN)/python tools/screens/record.py

.PHONY: generate
generate: venv ## Write all that follows from playbooks and argument specs: defaults, options, tables of pages
	@python -m tools.generate

.PHONY: docs
docs: generate ## Write the reference of roles, modules and filters into dist/docs/html
	@rm -rf dist/docs && mkdir -p dist/docs/rst && chmod 700 dist/docs dist/docs/rst
	@antsibull-docs collection --use-current --squash-hierarchy --dest-dir dist/docs/rst ops.runbook
	@# What leads to Ansible's own pages leads nowhere here.
	@sphinx-build -q -C -D extensions=sphinx_antsibull_ext -D project=ops.runbook -D suppress_warnings=ref.ref \
	  -b html dist/docs/rst dist/docs/html
	@echo dist/docs/html/index.html

.PHONY: bench
bench: venv engine ## Measure a rollback side by side with what a person would do instead
	@$(BIN)/python tools/bench/bench.py

.PHONY: matrix
matrix: ## Unit and packaging tests under every supported Python that is installed
	@ran=0; failed=; for version in $(PYTHONS); do \
	  for python in python$$version $$(ls -d $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$$version.*/bin/python 2>/dev/null | sort -rV); do \
	    $$python -c '' 2>/dev/null || continue; \
	    echo "== Python $$version"; \
	    $(MAKE) --no-print-directory unit packaging PYTHON=$$python VENV=.venv-$$version || failed="$$failed $$version"; \
	    ran=$$((ran + 1)); continue 2; \
	  done; echo "== Python $$version is not installed"; \
	done; \
	test -z "$$failed" || { echo "failed under Python$$failed" >&2; exit 1; }; test $$ran -gt 0

.PHONY: dist
dist: venv ## Build the Galaxy tarball, the wheel and the sdist into dist/
	@ansible-galaxy collection build --force --output-path dist >/dev/null
	@python -m build --no-isolation --outdir dist . >/dev/null
	@ls -1 dist/*

.PHONY: ee
ee: dist ## Build the image of the execution environment, or say why it can't be built here
	@python tests/packaging/execution_environment.py

.PHONY: changelog
changelog: venv ## Write the fragments into CHANGELOG.rst, under the version of galaxy.yml
	@antsibull-changelog release --update-existing

.PHONY: clean
clean: ## Remove what was built and installed here; the lab's hosts go with demo-down
	@rm -rf .venv* .ansible .cache .hypothesis .*_cache dist
