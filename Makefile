# The commands people type.  `make train` and `make test` set everything up by themselves on a
# machine with CPython 3.11 or later, pip and make.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PACKAGES := data features imr models serve training

LETTERS ?= data/samples
OUT ?= scores.parquet
MODEL ?= models:/imr@champion
BENCH ?= benchmarks.json

.DEFAULT_GOAL := help
.PHONY: help setup train test test-all ui serve score diff docs check lint bench lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/'

setup: $(READY) ## make the virtual environment (the other commands do it by themselves)

# The lock is complete, so nothing needs resolving: pip before 23.3 would resolve the extras of a
# package apart from its pin, and take a newer release that has no hash here.  pip compiles what it
# installs and we the folders of the project: where PYTHONDONTWRITEBYTECODE is set, every command
# would compile them anew.
$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed; name it: make PYTHON=/path/to/python3" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) || { \
		$(PYTHON) -m venv --clear --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check --disable-pip-version-check
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $@

train: $(READY) ## train both models, log them to MLflow and register them
	$(BIN)/imr train $(ARGS)

test: $(READY) ## run the tests that take minutes in all
	$(BIN)/python -m pytest -n auto -m "not slow" $(ARGS)

test-all: $(READY) ## run all tests
	$(BIN)/python -m pytest -n auto $(ARGS)

ui: $(READY) ## open the experiments in the browser
	$(BIN)/mlflow ui $(ARGS)

# MLflow starts uvicorn by its name, so the environment has to be active.
serve: $(READY) ## answer requests over HTTP with the registered model: make serve ARGS="-p 5055"
	. $(BIN)/activate && mlflow models serve -m $(MODEL) --env-manager local $(ARGS)

score: $(READY) ## score letters: make score LETTERS=folder OUT=scores.parquet
	$(BIN)/imr score $(LETTERS) -o $(OUT) $(ARGS)

diff: $(READY) ## what a change did to samples and IMR_LETTERS: make diff ARGS="--before main --list"
	$(BIN)/python -m benchmarks.diff $(ARGS)

docs: $(READY) ## make the tables of README and docs anew, after a change of code or figures
	$(BIN)/python -m benchmarks.papers

lint: $(READY) ## formatting, lint rules and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@rm -rf build/typed && mkdir -p build/typed/imr
	@cp imr/*.py build/typed/imr/
	@for folder in $(filter-out imr,$(PACKAGES)); do \
		ln -s ../../../$$folder build/typed/imr/$$folder; done
	MYPYPATH=build/typed $(BIN)/mypy

check: lint ## lint, and all tests with their coverage
	$(BIN)/python -m pytest -n auto --cov --cov-report=term $(ARGS)

bench: $(READY) ## measure speed and scale, by hand: every benchmarks/bench_*.py into BENCH
	$(BIN)/python -m benchmarks.compare --record $(BENCH) -- $(ARGS)

# The list must not depend on whose machine made it, hence no configuration and no address in it.
lock: $(READY) ## resolve requirements.lock anew from pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	env -u PIP_FIND_LINKS -u UV_FIND_LINKS -u UV_EXTRA_INDEX_URL $(BIN)/uv pip compile \
		--quiet --no-config --universal --python-version 3.11 --extra dev --upgrade --no-build \
		--no-strip-extras --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

clean: ## remove the environment and everything that tools left behind
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
