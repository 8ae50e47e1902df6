# Two commands are enough: `make run` and `make test`. Everything they need goes into .venv and run/.
PYTHON ?= python3
BIN := .venv/bin
CONFIG ?= run/haidang.yaml

.PHONY: help venv run demo test test-all soak check format lock bench clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"haidang needs Python 3.11 or newer, {sys.executable} is {v.major}.{v.minor}; set PYTHON=python3.11")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

venv: .venv/.ready  ## make .venv with the command and everything the tests need

$(CONFIG): | .venv/.ready
	@$(BIN)/haidang init $(dir $(CONFIG))

run: .venv/.ready $(CONFIG)  ## start the daemon on this machine (a starter configuration is written to run/ once)
	@$(BIN)/haidang run --config $(CONFIG)

demo: .venv/.ready  ## a province in a network of its own, the daemon before it, and a district that is cut off
	@$(BIN)/haidang lab demo

test: .venv/.ready  ## run the tests
	@$(BIN)/python -m pytest -n auto -m "not slow and not soak and not alone"
	@$(BIN)/python -m pytest -m "alone and not slow"

test-all: .venv/.ready  ## run the tests, the long ones too
	@$(BIN)/python -m pytest -n auto -m "not soak and not alone"
	@$(BIN)/python -m pytest -m alone

soak: .venv/.ready  ## run the tests that take an hour and more
	@$(BIN)/python -m pytest -n auto -m soak

check: .venv/.ready  ## formatting, lint, types, the rooms' imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: .venv/.ready  ## format and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: .venv/.ready  ## resolve the dependencies anew (requirements.lock: everything; -run: what a service needs)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras \
		--no-header --no-annotate pyproject.toml -o requirements.lock
	@echo hatchling | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --constraints requirements.lock pyproject.toml - -o requirements-run.lock

bench: .venv/.ready  ## measured comparisons, see benchmarks/README.md
	@$(BIN)/python benchmarks/run.py

clean:  ## remove what make made, but not run/
	@rm -rf .venv dist build .mypy_cache .ruff_cache .hypothesis
