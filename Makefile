# make demo   the whole story on real data, set-up included
# make test   every test that the tools on this machine allow
# make check  types, style, generated files
# make bench-robustness-small   some attacks on two owners, minutes; EDGEWM_DATA names a folder of data
# make bench-robustness         the core grid, many hours, goes on where it was stopped
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO_OUT ?= demo

.PHONY: demo test check clean bench-robustness bench-robustness-small
BENCH_JOBS ?= 2

# one environment for everything; made again when the pins change
$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[all,dev]'
	touch $@

demo: $(VENV)/ready
	rm -rf $(DEMO_OUT)
	$(BIN)/edgewm demo --out $(DEMO_OUT)

test: $(VENV)/ready
	$(BIN)/python -m pytest -n 2

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench-robustness-small: $(VENV)/ready
	$(BIN)/python benchmarks/robustness.py --grid small

bench-robustness: $(VENV)/ready
	$(BIN)/python benchmarks/robustness.py --grid core --jobs $(BENCH_JOBS)
	$(BIN)/python benchmarks/robustness.py --grid full --jobs $(BENCH_JOBS)

clean:
	rm -rf $(VENV) $(DEMO_OUT) dist .mypy_cache .pytest_cache .ruff_cache
