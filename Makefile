# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
DEMO_RUNS ?= runs/demo
SCALE ?= 20
SEED ?= 0

.PHONY: install demo test test-matrix torture lint docs bench bench-quick clean

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

# Whole files are handed out, so that what a file's tests share is made once.
test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# The oldest and the newest versions that are supported, an environment for each.
test-matrix:
	$(PYTHON) scripts/version_ends.py

# The targets of safety and survival at full size, which takes hours; `make test` does
# one SCALE-th. Any run is repeated by its SEED; counts are printed at the end.
torture: install
	RLTRANSFER_SCALE=$(SCALE) RLTRANSFER_SEED=$(SEED) \
		$(BIN)/python -m pytest -n 2 -m torture

# The site, in site/: open site/index.html, or serve the folder for its search.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

bench: install
	for part in acting fit scaling survival; do $(BIN)/python scripts/bench_$$part.py || exit 1; done

# All strategies that there are on the pairs that are learned on, with little effort.
bench-quick: install
	$(BIN)/python -m rltransfer benchmark --suite fast --quick --seeds 1 --jobs 2 -P \
		--strategies zero-shot scratch hold random-source shuffled-map -f runs/bench-quick

clean:
	rm -rf .venv .ends build dist site .pytest_cache .mypy_cache .ruff_cache
