# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
DEMO_RUNS ?= runs/demo

.PHONY: install demo test torture lint bench clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: install
	$(BIN)/python -m rltransfer demo --log-folder $(DEMO_RUNS)

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy scripts
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -n 2

# The fuzzers at full size; `make test` runs them at a tenth of it and less.
torture: install
	$(BIN)/python -W ignore tests/agents/reading/torture --scale 20

bench: install
	$(BIN)/python scripts/bench.py

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache
