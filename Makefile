# Model Desk: bare `make` prints every verb.
PYTHON ?= python3
PORT ?= 8501
WORKSPACE ?= .demo
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 3

.DEFAULT_GOAL := help
.PHONY: help run setup demo serve test test-setup test-ray test-spark lint format bench screenshots clean

help: ## Print every verb
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: demo serve ## Install, build the demo workspace and open the dashboard on it

setup: $(VENV)/.runtime ## Install what the dashboard needs into .venv

demo: setup ## Build the demo workspace in .demo (does nothing when it is there)
	$(BIN)/python -m core demo create $(WORKSPACE)

serve: setup ## Start the dashboard on WORKSPACE (default .demo) at PORT (default 8501)
	$(BIN)/python -m dashboard --workspace $(WORKSPACE) --port $(PORT)

test: test-setup ## Install what tests need (Chromium too) and run every test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile tests

test-setup: setup $(VENV)/.tests
	@.ci/browser

lint: test-setup ## Check style without changing anything
	$(BIN)/python -m ruff check . && $(BIN)/python -m ruff format --check .

format: test-setup ## Put every file into the project's style
	$(BIN)/python -m ruff check --fix . && $(BIN)/python -m ruff format .

test-ray: test-setup $(VENV)-ray/.node ## Run the tests of the Ray engine against a local head (3 GB to install, 4 GB of memory)
	@.ci/loopback $(BIN)/python -m pytest -n 0 -m ray tests/contract/test_deploy_engines.py

test-spark: $(VENV)-spark/.engine ## Run the tests of the Spark engine in a local Spark (1 GB to install, needs Java 17)
	@.ci/loopback $(VENV)-spark/bin/python -m pytest -n 0 -m spark tests/contract/test_drift_engines.py

bench: test-setup demo ## Measure speed and memory as ratios to a peer; prints tables
	@for file in tests/bench/bench_*.py; do echo "== $$file"; PYTHONPATH=. $(BIN)/python $$file || exit 1; done

screenshots: test-setup ## Picture every page in light, dark and at phone width into .screenshots
	$(BIN)/python -m pytest -n 0 tests/browser/test_screenshots.py

clean: ## Remove the environment, the demo workspace and caches
	rm -rf $(VENV) .demo .cache .bench .screenshots

$(VENV)/.runtime: requirements.txt
	@.ci/python $(PYTHON)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)-ray/.node: requirements-ray.txt $(VENV)/.runtime
	$(BIN)/python -m venv $(VENV)-ray
	$(VENV)-ray/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-ray.txt
	@touch $@

$(VENV)-spark/.engine: requirements.txt requirements-spark.txt requirements-ibis.txt tests/requirements.txt $(VENV)/.runtime
	$(BIN)/python -m venv $(VENV)-spark
	$(VENV)-spark/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-spark.txt -r tests/requirements.txt
	@touch $@

$(VENV)/.tests: tests/requirements.txt requirements-ibis.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@
