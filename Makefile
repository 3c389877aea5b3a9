# The two commands for users are `make study` and `make test`; the others are for those who change the code.
#
# One environment, .venv, serves all of them.  Each stamp in it says which extras are installed; a later stamp names the
# extras of the earlier ones again, so that pip always solves for all of them at once.

SHELL := /bin/bash
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,\
            $(shell $(name) -c 'import sys; print("$(name)") if sys.version_info >= (3, 11) else None' 2>/dev/null)))
VENV ?= .venv
BIN := $(VENV)/bin
MINIMAL := build/minimal
PIP := -m pip install --quiet --disable-pip-version-check --no-compile

FOR_STUDIES := studies
FOR_TESTS := studies,imitation,bayesian,parallel,bench,test
FOR_CHECKS := studies,imitation,bayesian,parallel,bench,test,lint,docs

# Linear algebra in one thread: the work is split over processes.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

# Bytecode is compiled where a module is first loaded, and kept: most of what pip would compile is never loaded.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help study report test bench lint types docs minimal clean

help:
	@echo 'make study    run the main study (amin_singh, quick) and say where its figures are'
	@echo 'make report   run all studies (quick) and put what they found into one report'
	@echo 'make test     run all tests'
	@echo 'make bench    time ours beside peers (SIZE=quick, a few minutes; SIZE=full remakes docs/performance.md)'
	@echo 'make lint     check style and format'
	@echo 'make types    check types'
	@echo 'make docs     build the documentation into docs/_build/html and check its links'
	@echo 'make minimal  prove that the core works with the newest Gymnasium and nothing else'

study: $(VENV)/.with-studies
	$(BIN)/python -m studies run amin_singh --quick

report: $(VENV)/.with-tests
	$(BIN)/python -m studies all --quick

test: $(VENV)/.with-tests
	$(BIN)/python -m pytest -q -n auto --dist worksteal

bench: $(VENV)/.with-tests
	$(BIN)/python -m benchmarks --size $(or $(SIZE),quick)

lint: $(VENV)/.with-checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.with-checks
	$(BIN)/mypy

docs: $(VENV)/.with-checks
	$(BIN)/python -m sphinx -W --keep-going -q -j 8 -b html docs docs/_build/html
	$(BIN)/lychee --no-progress --offline --include-fragments=anchor-only docs/_build/html README.md CONTRIBUTING.md
	@echo docs/_build/html/index.html

minimal: pyproject.toml
	rm -rf $(MINIMAL) build/lib build/bdist*
	$(PYTHON) -m venv $(MINIMAL)
	$(MINIMAL)/bin/python $(PIP) --upgrade . 'gymnasium>=1'
	$(MINIMAL)/bin/python -I tests/minimal_install.py

clean:
	rm -rf $(VENV) build docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'no Python 3.11 or newer was found; name one: make PYTHON=/path/to/python'; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.with-studies: pyproject.toml | $(BIN)/python
	@echo 'installing what the studies need'
	$(BIN)/python $(PIP) --editable '.[$(FOR_STUDIES)]'
	@touch $@

$(VENV)/.with-tests: pyproject.toml | $(BIN)/python
	@echo 'installing what the tests need (a few minutes)'
	$(BIN)/python $(PIP) --editable '.[$(FOR_TESTS)]'
	@touch $(VENV)/.with-studies $@

$(VENV)/.with-checks: pyproject.toml | $(BIN)/python
	@echo 'installing what tests, checks and documentation need (a few minutes)'
	$(BIN)/python $(PIP) --editable '.[$(FOR_CHECKS)]'
	@touch $(VENV)/.with-studies $(VENV)/.with-tests $@
