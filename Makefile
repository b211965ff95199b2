# `make repro` runs the study in params.yaml, `make test` the tests; both create .venv first.
PYTHON ?= python3
BIN := .venv/bin
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"
# One test process per CPU core, up to four, with one thread each: oversubscribed threads are slower.
PYTEST := OMP_NUM_THREADS=1 python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile \
	--no-loadscope-reorder

.PHONY: repro test test-all lint docs

repro: $(BIN)/.ready
	$(RUN) dvc repro

test: $(BIN)/.ready
	$(RUN) $(PYTEST) -m "not slow"

test-all: $(BIN)/.ready
	$(RUN) $(PYTEST)

lint: $(BIN)/.ready
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) codespell
	$(RUN) mypy

docs: $(BIN)/.ready
	$(RUN) sphinx-build -q -W --keep-going -b html docs docs/_build/html

$(BIN)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	test -e .git || $(RUN) dvc config --local core.no_scm true
	touch $@
