# Everything a contributor runs, by name. `make` alone lists the targets. Each installs what it needs, and only when
# pyproject.toml or constraints.txt changed.

PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && command -v $$p && break; done)
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq -c constraints.txt
TORCH := $(shell sed -n 's/^\(torch==.*\)/\1/p' constraints.txt)
DEVNET := tests/devnet
# Two processes, each file of tests in one of them: worlds and snapshots are built once a process.
SIDE_BY_SIDE := -n 2 --dist loadfile
# pytest exits with 5 when it ran nothing: fine for a tier without a test, as long as it is said.
OR_NONE := || { code=$$?; [ $$code -eq 5 ] && echo "no test carries this mark yet" || exit $$code; }
CHECKED := chain graph models simulations reports aftershock tests docs benchmarks

.DEFAULT_GOAL := help
.PHONY: help setup demo test verify soak lint format types layers docs-schema docs-pictures sample sample-prices evaluate-volatility clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMPS)/develop $(DEVNET)/node_modules/.stamp  ## install all that development needs, node packages included

demo: $(STAMPS)/runtime  ## the main job on the embedded sample, offline: exposure, a cascade, a report
	$(BIN)/aftershock demo

test: setup  ## the quick tier of the tests, at most 10 minutes
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not verify and not soak"

verify: setup  ## the longer tier of the tests, at most 30 minutes more
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m verify $(OR_NONE)

soak: setup  ## long runs, by hand; their table goes into docs/results
	$(BIN)/python -m pytest -m soak $(OR_NONE)

lint: $(STAMPS)/develop  ## style and formatting
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)

format: $(STAMPS)/develop  ## put code into the house format
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

types: $(STAMPS)/develop  ## mypy --strict
	$(BIN)/mypy

layers: $(STAMPS)/develop  ## imports run one way only
	$(BIN)/lint-imports

docs-schema: $(STAMPS)/runtime  ## write docs/schema.md from the schema files
	$(BIN)/python docs/build_schema_page.py

docs-pictures: $(STAMPS)/runtime  ## draw the README's picture from the sample
	$(BIN)/python docs/build_pictures.py

sample: setup  ## take the embedded sample again, with our readers, from a local node
	$(BIN)/python -m tests.devnet.sample

sample-prices: setup  ## draw the embedded, invented prices again, up to the embedded snapshot's block
	$(BIN)/python -m tests.devnet.sample_prices

evaluate-volatility: setup  ## score every volatility model, on the hourly panel (2022-07 to 2022-12) and the network of token flows; WINDOW=test OPEN_TEST="why" opens 2023
	$(BIN)/python -m benchmarks.volatility.choice
	$(BIN)/python -m benchmarks.volatility --window $(or $(WINDOW),validation) $(if $(OPEN_TEST),--open-test "$(OPEN_TEST)")
	$(BIN)/python -m benchmarks.volatility.flows

clean:  ## remove the environment, the node packages and every cache
	rm -rf $(VENV) $(DEVNET)/node_modules build dist *.egg-info .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed and none was found; install it, or name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V). Name another: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: pyproject.toml constraints.txt | $(STAMPS)/venv
	@echo "Installing aftershock into $(VENV) (under a minute) ..."
	@$(PIP) -e .
	@touch $@

# torch comes first and alone: left to a resolver, the newest torch and gigabytes of GPU libraries would arrive.
$(STAMPS)/develop: pyproject.toml constraints.txt | $(STAMPS)/venv
	@echo "Installing aftershock with $(TORCH) and the tools into $(VENV) (a minute or two) ..."
	@$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	@$(PIP) -e '.[forecast,test,lint]'
	@touch $(STAMPS)/runtime $@

$(DEVNET)/node_modules/.stamp: $(DEVNET)/package.json $(DEVNET)/package-lock.json
	@command -v npm >/dev/null || { echo "npm (with Node 18 or newer) is needed: the tests run the protocols' own contracts on a local node from npm" >&2; exit 1; }
	@echo "Installing the local node and the protocols' contracts into $(DEVNET)/node_modules ..."
	@cd $(DEVNET) && npm ci --loglevel=error --no-progress >/dev/null
	@touch $@
