# The two commands: `make demo` and `make test`. Both make their own environment first.
# VENV: where it goes; EXTRA: cpu or gpu (which faiss); PORT, DATA: see `make help`.

PYTHON ?= python3
VENV ?= .venv
EXTRA ?= $(shell command -v nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
PORT ?= 8000
DATA ?=
BIN := $(VENV)/bin

.PHONY: help demo demo-stop test lint types imports unit slow gpu-check format clean constraints \
	podman-trial

help:
	@echo "make demo       train COVE on MovieLens-100K, serve it, complete a list (PORT=8000, DATA=folder)"
	@echo "make demo-stop  stop the server that make demo left running"
	@echo "make test       lint, types, import rule, all quick tests"
	@echo "make slow       the slow tests"
	@echo "make gpu-check  the tests that need a GPU; says so where there is none"
	@echo "make podman-trial  build the images and try the stack, on Debian, as root"
	@echo "make constraints   pin the versions of the images anew"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "COVE needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[$(EXTRA),serve,train]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[$(EXTRA),serve,train,postgres,otel,dev]"
	@touch $@ $(VENV)/.run

demo: $(VENV)/.run
	$(BIN)/cove demo --port $(PORT) $(if $(DATA),--from $(DATA))

demo-stop: $(VENV)/.run
	$(BIN)/cove demo --stop

test: lint types imports unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

unit: $(VENV)/.dev
	$(BIN)/python -m pytest

slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow

gpu-check: $(VENV)/.dev
	$(BIN)/python -m pytest -m gpu -rs

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

podman-trial: $(VENV)/.dev
	PYTHON=$(abspath $(BIN)/python) docker/trial/run

# Of all extras that an image has, for the CPU and for CUDA: a line that an image lacks does nothing.
constraints: $(VENV)/.dev
	$(BIN)/uv pip compile --quiet --upgrade pyproject.toml \
		--extra serve --extra train --extra postgres --extra cpu --extra gpu \
		--python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-annotate \
		--custom-compile-command "make constraints" --output-file docker/constraints.txt

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
