# Works on a fresh machine that has Python 3.11 or newer and make. `make` alone lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.contractnet-installed

# Folders with our Python; those that exist are linted and type-checked.
SOURCES := $(wildcard contractnet market streams projections analytics broker services faults benchmarks examples scripts tests)

# `make PYTHON=/path/to/python3.12 setup` chooses the interpreter; otherwise the first that is new enough.
PYTHON ?=
CANDIDATES := python3 python3.13 python3.12 python3.11 python
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

.PHONY: help setup demo test faults bench check-slow lint format lock audit clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## Create .venv and install the locked packages (other targets do this themselves)

# One shell: the interpreter found in the first step serves the rest.
$(STAMP): requirements-dev.lock pyproject.toml
	@set -e; python=''; \
	for candidate in $(if $(PYTHON),'$(PYTHON)',$(CANDIDATES)); do \
	    if "$$candidate" -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo 'setup: no Python 3.11 or newer among: $(or $(PYTHON),$(CANDIDATES)).' >&2; \
	    echo 'setup: install one, or name it: make PYTHON=/path/to/python3.12 $(or $(firstword $(MAKECMDGOALS)),setup)' >&2; \
	    exit 1; \
	fi; \
	uv=$$(command -v uv || true); \
	if ! $(BIN)/python -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then \
	    echo "setup: creating $(VENV) with $$("$$python" --version)"; \
	    if [ -n "$$uv" ]; then \
	        "$$uv" venv --quiet --clear --python "$$("$$python" -c 'import sys; print(sys.executable)')" $(VENV); \
	    elif ! "$$python" -m venv --clear $(VENV); then \
	        echo 'setup: this Python cannot create virtual environments; on Debian and Ubuntu install python3-venv.' >&2; \
	        exit 1; \
	    fi; \
	fi; \
	if [ -n "$$uv" ]; then \
	    echo 'setup: installing the locked packages with uv (hashes checked)'; \
	    install="$$uv pip install --quiet --python $(BIN)/python"; \
	else \
	    echo 'setup: installing the locked packages with pip (hashes checked; about 300 MB, a minute or two)'; \
	    $(BIN)/python -m ensurepip --default-pip >/dev/null 2>&1 || true; \
	    install="$(BIN)/python -m pip install --quiet --disable-pip-version-check"; \
	fi; \
	$$install --require-hashes -r requirements-dev.lock; \
	echo 'setup: installing contractnet from this checkout'; \
	$$install --no-deps --no-build-isolation --editable .; \
	touch $@; \
	echo 'setup: done'

demo: $(STAMP) ## Run a market with a swarm of agents; TRACE=file.csv replays a GPU cluster trace
	$(BIN)/contractnet demo $(if $(TRACE),--trace '$(TRACE)')

test: $(STAMP) ## Run every test, tier by tier, and print the time of each tier
	@$(BIN)/python scripts/tiers.py

faults: $(STAMP) ## Attack a market and count what breaks; FAULTS=full is the campaign, SECTIONS=kills,zombies chooses
	@$(BIN)/python -m faults

bench: $(STAMP) ## Measure the worker against a hand-written loop; BENCH='--short --sections latency' chooses
	@$(BIN)/python -m benchmarks $(BENCH)

# The mutants run in copies of the tree. Both kinds and the seeds run to the end, also after a failure.
SEEDS ?= 100000
MUTANTS ?= 120
check-slow: $(STAMP) ## Plant bugs that the tests must notice, then simulate SEEDS=100000 lives of a market (hours)
	@status=0; \
	$(BIN)/python -m tests.mutants.campaign planted || status=1; \
	$(BIN)/python -m tests.mutants.campaign generated --count $(MUTANTS) || status=1; \
	$(BIN)/python -m tests.simulation.campaign --seeds $(SEEDS) || status=1; \
	exit $$status

lint: $(STAMP) ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/python -m pytest -q tests/house/test_import_arrows.py

format: $(STAMP) ## Format the code and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --quiet --custom-compile-command 'make lock'
LOCK := $(COMPILE) pyproject.toml --extra services

AUDITOR := $(VENV)/audit

$(AUDITOR)/.installed: requirements-audit.lock $(STAMP)
	$(BIN)/uv venv --quiet --clear $(AUDITOR)
	$(BIN)/uv pip install --quiet --python $(AUDITOR)/bin/python --require-hashes -r $<
	touch $@

audit: $(AUDITOR)/.installed ## Look all locked packages up for known vulnerabilities; ADVISORIES=all.zip does it offline
	@ADVISORIES='$(ADVISORIES)' $(BIN)/python -m scripts.audit $(AUDITOR)/bin/pip-audit requirements.lock requirements-dev.lock requirements-audit.lock

# Only the newest versions that an existing lock allows change nothing: delete a lock first to upgrade everything.
lock: $(STAMP) ## Bring the requirements files up to date with pyproject.toml
	$(LOCK) --group build --output-file requirements.lock
	$(LOCK) --group dev --constraint requirements.lock --output-file requirements-dev.lock
	$(COMPILE) --group audit --output-file requirements-audit.lock

clean: ## Remove .venv, caches and build output; markets' data in .contractnet stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
