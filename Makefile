# What a newcomer and a developer type. Needs GNU make, and Python 3.11 or newer with its venv module.
# ARGS goes to the program: make run ARGS=--once, make test ARGS="tests/crypto -x". Tests run in a process for
# each CPU, with servers of its own; make test ARGS=-n0 runs them in one.

VENV := .venv
BIN := $(VENV)/bin
PARALLEL := -n logical --maxprocesses 8 --dist worksteal
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check format docs conformance bench clean

help:
	@echo 'make run     see it work: an embedded PostgreSQL, pgveil before it, an ordinary application'
	@echo 'make test    all tests'
	@echo 'make check   formatting, lint and types'
	@echo 'make format  put the code into the format that make check wants'
	@echo 'make docs    make the tables of docs/supported-sql.md anew'
	@echo 'make conformance  the test suites of PostgreSQL and of drivers, through pgveil'
	@echo 'make bench   speed, side by side with a direct connection and PgBouncer'
	@echo 'make clean   remove the virtual environment and whatever was built'

run: $(VENV)/run.stamp
	@$(BIN)/pgveil demo $(ARGS)

test: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile

format: $(VENV)/dev.stamp
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.sql.supported

bench: $(VENV)/dev.stamp
	@$(BIN)/python -m bench $(ARGS)

conformance: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.conformance $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps say what is installed, and grow old when pyproject.toml changes.
$(VENV)/run.stamp: pyproject.toml | $(BIN)/python
	@echo 'Installing pgveil into $(VENV) (once) ...'
	@$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/dev.stamp: pyproject.toml | $(BIN)/python
	@echo 'Installing pgveil and the developer tools into $(VENV) (once) ...'
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/run.stamp

# A python3 without ensurepip (Debian without python3-venv) leaves half an environment behind.
$(BIN)/python:
	@for python in python3.13 python3.12 python3.11 python3.14 python3; do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  "$$python" -m venv $(VENV) >/dev/null 2>&1 && "$(BIN)/python" -m pip --version >/dev/null 2>&1 && exit 0; \
	  rm -rf $(VENV); \
	  "$$python" -m virtualenv --quiet $(VENV) 2>/dev/null && exit 0; \
	  rm -rf $(VENV); \
	  found="$$python"; \
	done; \
	if [ -n "$$found" ]; then \
	  echo "$$found cannot make a virtual environment. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; \
	else \
	  echo "pgveil needs Python 3.11 or newer; none of python3.11, 3.12, 3.13, 3.14, python3 is one" >&2; \
	fi; \
	exit 1
