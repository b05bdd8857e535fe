# Two commands do all the set-up, each alone on a fresh machine with Python and pip: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.docs-installed
DEMO_DIR ?= outputs/demo

.DEFAULT_GOAL := help
.PHONY: help install demo test coverage cards docs style quality clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(STAMP)  ## Create .venv and install the pinned set (a second call does nothing)

# The +cpu build of torch is asked for by name where there is no GPU on Linux, so that no CUDA package can come along.
$(STAMP): setup.cfg pyproject.toml constraints.txt scripts/install_torch.sh
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mgc_hf needs Python 3.11 or newer; name one with make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	bash scripts/install_torch.sh $(BIN)/python constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

demo: $(STAMP)  ## Train, evaluate and document the LSTM on the synthetic demo corpus, then load it and predict
	$(BIN)/python recipes/lstm.py --config recipes/demo.yaml --output_dir $(DEMO_DIR) --overwrite_output_dir
	$(BIN)/python scripts/show_demo.py $(DEMO_DIR)

# three workers on two cores: some tests wait for time-outs
PYTEST := $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

test: $(STAMP)  ## Run the tests
	$(PYTEST)

coverage: $(STAMP)  ## Run the tests with coverage, which takes a third longer
	$(PYTEST) --cov --cov-report=term --cov-fail-under=90

cards: $(STAMP)  ## Make model_cards/ anew from runs on the real clips in ../shared (ten minutes)
	$(BIN)/python scripts/make_cards.py

docs: $(DOCS_STAMP) docs/tutorial.ipynb  ## Build the pages of docs/ into docs/_build/html; a warning is an error
	$(BIN)/python -m sphinx --builder html --nitpicky --fail-on-warning --keep-going --quiet docs docs/_build/html
	@echo "docs/_build/html/index.html"

docs/tutorial.ipynb: docs/tutorial.py scripts/make_tutorial.py $(DOCS_STAMP)
	$(BIN)/python scripts/make_tutorial.py

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $(DOCS_STAMP)

style: $(STAMP)  ## Format and fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

quality: $(STAMP)  ## Check format, lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## Remove what make made
	rm -rf $(VENV) outputs docs/_build docs/tutorial.ipynb .pytest_cache .mypy_cache .ruff_cache .hypothesis
