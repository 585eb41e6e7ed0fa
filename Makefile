# COLT Studio. `make help` lists what there is.
#
# Stamp files in .venv tell what is installed; they are older than pyproject.toml or the lock file when it has changed.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
NPM := ../tools/with-node npm
DASHBOARD := api/dashboard/index.html
GUIDE := api/guide/index.html
FRONTEND_SOURCES := $(shell find frontend/src frontend/public -type f 2>/dev/null) \
	$(wildcard frontend/*.html frontend/*.json frontend/*.ts frontend/*.js)

GUIDE_SOURCES := $(wildcard docs/* docs/pictures/*) CHANGELOG.md $(shell find tools/guide -type f -not -name '*.pyc')

KILLS ?= 100
SEED ?= 0

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup up test test-faults check lint types imports rooms prose audit frontend frontend-check guide screenshots openapi \
	openapi-check client client-check migration bench bundle clean

help:  ## List these commands
	@grep -hE '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/:.*  ## /\t/' | expand -t 18

setup: .venv/.service $(DASHBOARD) $(GUIDE)  ## Create .venv, install, build dashboard and guide
	@:

up: setup  ## Run API, worker and dashboard until Ctrl-C
	@$(BIN)/colt up

test: setup .venv/.test  ## Run the whole test suite (ARGS="-k name" for a part)
	@$(BIN)/python -m pytest $(ARGS)

test-faults: setup .venv/.test  ## Faults at length (KILLS=100 SEED=0 choose the random ones; ARGS as above)
	@FAULT_KILLS=$(KILLS) FAULT_SEED=$(SEED) $(BIN)/python -m pytest tests/faults tests/integration/test_hosts.py -m "slow or not slow" $(ARGS)

check: lint types imports rooms prose client-check frontend-check  ## Every static check

lint: .venv/.lint  ## Style of the Python code
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .

types: .venv/.lint  ## Types of the Python code
	@$(BIN)/mypy

imports: .venv/.lint  ## Which room may import which
	@$(BIN)/lint-imports

rooms: | .venv/bin/python  ## That SQL is written in store/ alone
	@$(BIN)/python tools/sql_rooms.py

prose: .venv/.lint  ## How docs, comments and messages read (ARGS=colt_core for a part)
	@$(BIN)/python -m tools.prose $(ARGS)

audit: .venv/.lint  ## Look the installed packages up among known vulnerabilities
	@$(BIN)/python tools/audit.py

frontend: $(DASHBOARD)  ## Build the dashboard, when its sources have changed

guide: $(GUIDE)  ## Build the guide, when its pages have changed

screenshots: .venv/.service .venv/.test $(DASHBOARD)  ## Take the guide's pictures of a small run; minutes (needs Chromium)
	@$(BIN)/python -m tools.screenshots $(ARGS)

frontend-check: frontend/node_modules/.installed  ## Types and unit tests of the dashboard
	@cd frontend && $(NPM) run --silent check
	@cd frontend && $(NPM) run --silent test

openapi: .venv/.service frontend/node_modules/.installed  ## Write the dashboard's API types anew
	@$(BIN)/python -m api.http.openapi > frontend/openapi.json
	@cd frontend && $(NPM) run --silent openapi

openapi-check: openapi  ## Fail when the committed API types are not those of the API
	@git diff --exit-code --stat -- frontend/src/api/schema.d.ts || \
		{ echo "The API has changed: commit what 'make openapi' wrote."; exit 1; }

client: .venv/.lint  ## Write the Python client's types, and its half without asyncio
	@$(BIN)/python -m tools.client

client-check: .venv/.lint  ## Fail when they are not those of the API
	@$(BIN)/python -m tools.client --check

migration: .venv/.service  ## Write a migration from the models (MESSAGE="what changes")
	@$(BIN)/python -m store.migrations "$(MESSAGE)"

bundle: setup  ## Gather wheels and an install script in dist/, for machines without a network
	@$(BIN)/python -m tools.bundle

bench: .venv/.test  ## Run the quick set of benchmarks; minutes, on an idle machine
	@$(BIN)/python -m benchmarks

clean:  ## Remove what was installed and built; data in .colt stays
	@rm -rf .venv frontend/node_modules api/dashboard api/guide build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "COLT Studio needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>/dev/null || echo missing)."; \
		echo "Install one, and name it: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/.service: pyproject.toml | .venv/bin/python
	@echo "Installing the service's Python packages (some minutes the first time) ..."
	@$(PIP) -e '.[service,guide]'
	@touch $@

.venv/.test: pyproject.toml .venv/.service
	@echo "Installing what the tests need ..."
	@$(PIP) -e '.[service,test]'
	@touch $@

.venv/.lint: pyproject.toml .venv/.service
	@echo "Installing what the checks need ..."
	@$(PIP) -e '.[service,test,lint]'
	@touch $@

frontend/node_modules/.installed: frontend/package.json frontend/package-lock.json | .venv/.service
	@echo "Installing the dashboard's packages ..."
	@cd frontend && $(NPM) ci --silent --no-audit --no-fund
	@touch $@

$(DASHBOARD): $(FRONTEND_SOURCES) | frontend/node_modules/.installed
	@echo "Building the dashboard ..."
	@cd frontend && $(NPM) run --silent build -- --logLevel error
	@touch $@

$(GUIDE): $(GUIDE_SOURCES) | .venv/.service
	@echo "Building the guide ..."
	@rm -rf api/guide
	@$(BIN)/python -m sphinx -q -W --keep-going -b html -c tools/guide -d .venv/.guide docs api/guide
	@rm -f api/guide/.buildinfo api/guide/objects.inv
	@touch $@
