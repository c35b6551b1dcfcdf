# Every target sets up what it needs; a fresh clone needs python3 (3.11 or newer, with venv) and make.
# ARGS goes to the program behind a target: make demo ARGS=--exit

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
KAFKA := build/kafka
ENCODER := build/encoder
# One process a core; the tests of a file stay together, so that what they share is made once.
PYTEST_ARGS ?= -n auto --dist loadfile
ARGS ?=

PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test lint kafka encoder chaos bench rotate evaluate evaluate-campaigns lock clean

help:  ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make .venv with the pinned packages and the project

$(STAMP): requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || \
		{ echo "$(PYTHON) not found: install Python 3.11 or newer, or name one: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$$($(PYTHON) --version) is too old: Stillwatch needs 3.11 or newer; name one: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) has no venv module: install it (on Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Installing the pinned packages into $(VENV) (the first time takes some minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --requirement requirements-dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## Play a composed day and show what is found (ARGS="--exit --seed 2")
	$(BIN)/stillwatch demo $(ARGS)

test: lint kafka encoder  ## Check style, types and layers, then run every test
	$(BIN)/python -m pytest $(PYTEST_ARGS) $(ARGS)

lint: setup  ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Without Java and Maven, or without a network, the tests on real Kafka are skipped, which is said
# out loud; where STILLWATCH_REQUIRE_SERVICES=1 (continuous integration) that is a failure.
kafka:  ## Fetch the jars of the tests' Kafka broker into build/kafka (Java 17 and Maven)
	@if [ $(KAFKA)/.fetched -nt tests/services/pom.xml ]; then exit 0; fi; \
	if [ -n "$$STILLWATCH_KAFKA" ]; then exit 0; fi; \
	rm -rf $(KAFKA)/libs; \
	if command -v java >/dev/null && command -v mvn >/dev/null && \
		echo "Fetching Apache Kafka into $(KAFKA)/libs" && \
		mvn -B -q -f tests/services/pom.xml dependency:copy-dependencies \
			-DoutputDirectory="$(CURDIR)/$(KAFKA)/libs"; \
	then touch $(KAFKA)/.fetched; \
	else \
		rm -rf $(KAFKA)/libs; \
		echo "NO KAFKA: the tests on a real broker cannot run. They need Java 17 and Maven (on Debian:" >&2; \
		echo "apt-get install default-jre-headless maven) or STILLWATCH_KAFKA=host:port." >&2; \
		[ "$$STILLWATCH_REQUIRE_SERVICES" != 1 ]; \
	fi

encoder: $(ENCODER)/encoder.json  ## Build the prompt encoder into build/encoder

$(ENCODER)/encoder.json: $(STAMP) models/encoder_graph.py models/build_encoder.py
	$(BIN)/python -m models encoder --out $(ENCODER)

# CHAOS_SEED=N repeats a plan.
chaos: setup kafka  ## Kill 200 workers, and brokers, under load; show what was done and found
	CHAOS_KILLS=$${CHAOS_KILLS:-200} $(BIN)/python -m pytest --quiet --capture=no tests/integration/test_chaos.py $(ARGS)

bench: setup kafka encoder  ## Measure speed and memory against their goals; writes build/bench.json
	$(BIN)/python -m tests.benchmarks.run $(ARGS)

rotate: setup  ## Retrain with each tool left out and print the table of what is still found
	$(BIN)/python -m models rotate $(ARGS)

# Stages are kept in build/evaluate; ARGS="--scale 0.1" takes a tenth of the accounts.
evaluate: setup  ## Measure detection and every baseline on what training never saw; writes models/reports
	$(BIN)/python -m models evaluate $(ARGS)

# Stages are kept in build/campaigns; ARGS="--scale 0.05" takes a part of the plan.
evaluate-campaigns: setup  ## Measure campaigns found among 100,000 accounts and innocent crowds
	$(BIN)/python -m models evaluate-campaigns $(ARGS)

lock: setup  ## Resolve pyproject.toml again into the pinned requirements files
	$(LOCK) --extra dev --output-file requirements-dev.txt
	$(LOCK) --constraint requirements-dev.txt --output-file requirements.txt
	$(LOCK) --constraint requirements-dev.txt --extra encoder --output-file requirements-encoder.txt
	sed -i '1i # Made by `make lock` from pyproject.toml: all that development and training need.' requirements-dev.txt
	sed -i '1i # Made by `make lock` from pyproject.toml: all that the service needs, a subset of requirements-dev.txt.' requirements.txt
	sed -i '1i # Made by `make lock` from pyproject.toml: that and what `make encoder` needs, a subset of requirements-dev.txt.' requirements-encoder.txt

clean:  ## Remove .venv, build/ and every cache
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find streams detector models tests -name __pycache__ -type d -prune -exec rm -rf {} +
