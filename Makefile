# `make repro` runs the study in params.yaml, `make test` the tests; both set .venv up first.
PYTHON ?= python3
BIN := .venv/bin
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: repro test test-all lint

repro: $(BIN)/.ready
	$(RUN) dvc repro

test: $(BIN)/.ready
	$(RUN) python -m pytest -m "not slow"

test-all: $(BIN)/.ready
	$(RUN) python -m pytest

lint: $(BIN)/.ready
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

$(BIN)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	test -e .git || $(RUN) dvc config --local core.no_scm true
	touch $@
