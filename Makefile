# The only commands a newcomer must know; `make` alone lists them.
#
#   PYTHON=python3.12     the Python to make the virtual environment from; otherwise one between 3.11 and 3.13 if there is one
#   TORCH_INDEX=URL       where else to look for torch's wheels, such as PyTorch's CPU or another CUDA version's
#   PYTEST_ARGS="-m ..."  more for pytest, such as -n 0 to have no workers beside it
#   LOAD_ARGS="..."       more for `make load`

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := src tests $(wildcard benchmarks) $(wildcard recipes)

# Python 3.14 and newer come last: some packages of the lock are not ready built for them, and need compilers there.
RECENT := import sys; sys.exit(sys.version_info < (3, 11))
READY := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11; do \
    "$$python" -c "$(READY)" 2>/dev/null && { echo "$$python"; exit; }; done; echo python3)
endif

# No variable of the caller's may lead into another environment than .venv.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_TARGET PIP_PREFIX PIP_USER

.DEFAULT_GOAL := help
.PHONY: help install talk test lint format load web nano clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@sed -n 's/^#   //p' $(firstword $(MAKEFILE_LIST))

install: $(STAMP) ## make .venv and install everything into it; needs Python >= 3.11 with pip and venv

talk: install ## open the server on the bundled model and talk in the browser
	$(BIN)/personaplex serve --open

test: install ## run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses=8 --dist=worksteal $(PYTEST_ARGS)

lint: install ## check style, types and the walls between the rooms
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## put the code into the house's style
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

web: ## build the page from web/ into the package; needs Node >= 20.19 with npm
	cd web && npm ci --no-audit --no-fund && npm run build

load: install ## see whether a served model holds four conversations for five minutes; LOAD_ARGS="--ramp" for how many it holds
	$(BIN)/python benchmarks/load.py $(LOAD_ARGS)

nano: install ## train a small model from nothing (hours)
	PATH="$(CURDIR)/$(BIN):$$PATH" bash recipes/nano.sh

clean: ## remove .venv and what tools leave behind; work/ stays
	rm -rf $(VENV) build dist htmlcov .coverage .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is older than a lock or a pyproject.toml that changed, and then everything is installed again. torch comes first and
# alone, so that TORCH_INDEX is asked for nothing else.
$(STAMP): requirements.lock requirements-no-deps.lock pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { \
	    echo "There is no Python here ($(PYTHON)): install Python 3.11 or newer with pip and venv (Debian: apt-get install python3-venv python3-pip)."; exit 1; } >&2
	@"$(PYTHON)" -c "$(RECENT)" || { \
	    echo "PersonaPlex needs Python 3.11 or newer and $(PYTHON) is $$($(PYTHON) -V 2>&1): install one, or name it: make install PYTHON=python3.12."; exit 1; } >&2
	@"$(PYTHON)" -c "import venv, ensurepip" 2>/dev/null || { \
	    echo "$(PYTHON) has no venv, or no pip to put into it: install them (Debian: apt-get install python3-venv python3-pip)."; exit 1; } >&2
	@"$(PYTHON)" -c "$(READY)" || \
	    echo "Note: for $$($(PYTHON) -V) pip builds pocketsphinx (C) and sphn (Rust) itself; python3.11 to 3.13 need no compiler."
	@test -x $(BIN)/python && $(BIN)/python -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear $(VENV)
	$(PIP) install --constraint requirements.lock $(if $(TORCH_INDEX),--extra-index-url "$(TORCH_INDEX)") torch
	$(PIP) install --requirement requirements.lock
	$(PIP) install --no-deps --requirement requirements-no-deps.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
