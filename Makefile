# `make repro` runs the study in params.yaml, `make test` the tests; both create .venv first.
PYTHON ?= python3
BIN := .venv/bin
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"
# One test process per CPU core, up to four, with one thread each: oversubscribed threads are slower.
PYTEST := OMP_NUM_THREADS=1 python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile \
	--no-loadscope-reorder

.PHONY: repro test test-all lint docs lock

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
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation -e .
	test -e .git || $(RUN) dvc config --local core.no_scm true
	touch $@

# The newest versions that pyproject.toml allows, with the hashes of all their files, for every system. Not torch and
# torchvision, which pyproject.toml pins: their wheels differ by machine (CPU, CUDA, ROCm), and so do their hashes.
lock:
	$(PYTHON) -m venv .lock
	.lock/bin/pip install --quiet --disable-pip-version-check uv
	.lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra dev --no-annotate --no-header \
		pyproject.toml > .lock/versions
	grep -vE '^(torch|torchvision|triton|(cuda|nvidia)-.*)==' .lock/versions | .lock/bin/uv pip compile --quiet --no-deps \
		--universal --python-version 3.11 --no-annotate --generate-hashes --custom-compile-command 'make lock' \
		--output-file requirements.lock -
	rm -r .lock
