# Everything a checkout needs: `make help` lists it. Each target makes .venv and installs first, which
# costs nothing once done. constraints.txt says how torch is chosen.

PYTHON ?= python3
VENV ?= .venv
# On two cores: many tests wait for processes.
WORKERS ?= 3
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt
FAST := -m "not slow"

# More threads than cores make small networks train many times slower, and pytest runs $(WORKERS)
# processes already.
export OMP_NUM_THREADS ?= 1
export MPLBACKEND ?= Agg

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check static suite format notebooks

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The teacher has its values for the walker; the seed is one of those whose student learns quickly.
demo: $(VENV)/installed ## teach PPO to cross Stump Tracks with ALP-GMM; a few minutes on two cores
	$(BIN)/teachrl teach --env stump-tracks --teacher alp-gmm --student ppo \
		--teacher.fit-every 150 --teacher.max-gaussians 9 --teacher.random-ratio 0.05 --seed 3 \
		--n-envs 16 --steps 300_000 --test-tasks 25 --folder runs/demo --restart

test: FAST :=
test: static suite ## format, lint, strict types, doctests and the whole test suite

check: static suite ## the same without the slow tests; for every commit

static: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

suite: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(FAST)

format: $(VENV)/installed-dev ## rewrite the code in the one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: $(VENV)/installed-dev ## run the notebooks from top to bottom
	for notebook in notebooks/*.ipynb; do \
		$(BIN)/jupyter execute "$$notebook" || exit 1; \
	done

$(VENV)/installed-dev: $(VENV)/installed
	$(INSTALL) --editable ".[contrib,sbx,video,notebooks,campaign,mujoco,minigrid,dev]"
	touch $@

$(VENV)/installed: setup.cfg pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing; the first time this takes some minutes"
	$(INSTALL) --editable .
	touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "teachrl needs Python 3.11 or newer; name one: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
