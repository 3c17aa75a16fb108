# make demo   the whole story on real data, set-up included
# make test   every test that the tools on this machine allow
# make check  types, style, generated files
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO_OUT ?= demo

.PHONY: demo test check clean

# one environment for everything; made again when the pins change
$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[train,tflite-runtime,tflm,records,onnx,cluster,plots,demo,dev]'
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

clean:
	rm -rf $(VENV) $(DEMO_OUT) dist .mypy_cache .pytest_cache .ruff_cache
