# One line a command; `make` lists them.
PYTHON ?= python3
BIN := .venv/bin
# What `make run` asks the model.
PROMPT ?= Tell me in two sentences why rivers bend.
# How many cases `make fuzz` tries.
N ?= 1000

# mkdocs-material prints an advertisement for another program at every build without it.
export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
.PHONY: help run test check format bench fuzz differences picture docs clean

help: ## list these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: .venv/ready-run ## set up, and stream an answer of the real local model to the terminal
	@$(BIN)/millstream chat "$(PROMPT)" < /dev/null

test: .venv/ready-dev ## set up, and run all tests, in two processes
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/ready-dev ## format, lint, types, import direction, the documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/mkdocs build --strict --quiet --site-dir .venv/site

format: .venv/ready-dev ## format the code, and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/ready-dev ## measure beside langchain-core and the SDKs, print the table, write benchmarks/RESULTS.md and the README's table
	$(BIN)/python -m benchmarks
	$(BIN)/python scripts/ratios.py

fuzz: .venv/ready-dev ## N random documents, damaged streams and chains with faults (N=1000), written to benchmarks/FUZZ.md
	$(BIN)/python scripts/fuzz.py --n $(N)

differences: .venv/ready-dev ## write docs/differences.md from the table that drives the side-by-side suite
	PYTHONPATH=. $(BIN)/python scripts/differences.py

picture: .venv/ready-dev ## draw the README's terminal anew, from a real session
	$(BIN)/python scripts/picture.py

docs: .venv/ready-dev ## serve the documentation on 127.0.0.1:8000
	$(BIN)/mkdocs serve --dev-addr 127.0.0.1:8000

clean: ## remove what was set up
	rm -rf .venv

.venv/ready-run: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Setting up: llama.cpp, the command line and a model of 98 MB ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[local,cli]'
	@$(BIN)/millstream models add smollm2 --quiet
	@touch $@

.venv/ready-dev: pyproject.toml tests/conformance/package-lock.json | .venv/ready-run
	@echo "Setting up: the tools for tests, types and documentation ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@npm ci --prefix tests/conformance --silent --no-audit --no-fund
	@touch $@
