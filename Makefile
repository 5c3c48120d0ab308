# Everything below runs in .venv, which the first target that needs it makes from requirements.lock.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help venv demo test search lint types contracts lock

help:
	@echo "make venv       make .venv and install sightline with all extras, pinned by hash"
	@echo "make demo       the main job on 1,797 real scans of digits: demo/study/report.html"
	@echo "make test       all tests"
	@echo "make search     all tests, their properties on new random examples"
	@echo "make lint       ruff"
	@echo "make types      mypy, strict"
	@echo "make contracts  the layers, the honesty line, the torch line, no cycles"
	@echo "make lock       pin the newest versions that pyproject.toml allows"

venv: $(INSTALLED)

# The stamp keeps a second `make test` from installing again; editing either file makes it old.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Sightline needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# A fresh study each time; the looks at its test set are counted in the user's own log and go on.
demo: $(INSTALLED)
	rm -rf demo/study
	$(BIN)/sightline run digits demo/study --note demo

test: $(INSTALLED)
	$(BIN)/python -m pytest

search: $(INSTALLED)
	$(BIN)/python -m pytest --hypothesis-profile=search

lint: $(INSTALLED)
	$(BIN)/ruff check .

types: $(INSTALLED)
	$(BIN)/mypy

contracts: $(INSTALLED)
	$(BIN)/lint-imports

# Universal: one file for every Python from 3.11 on and every platform. uv stays out of .venv: nothing else needs it.
lock:
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/python -m pip install --quiet uv
	.venv/lock/bin/uv pip compile pyproject.toml --all-extras --generate-hashes --no-header --no-annotate \
	  --universal --python-version 3.11 --upgrade --quiet -o requirements.lock
