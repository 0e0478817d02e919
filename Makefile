# make env   the Python environment (.venv) from requirements.lock
# make demo  the default configuration, from the shipped labels to every figure
# make test  the fast tests, in under ten minutes; make test-slow: the others
# make test-slurm  the workflow on a Slurm that it starts on this machine (as root, with Debian's slurm-wlm and munge)
# make bench time of a step of dynamics and of training for every model, compared with lorem-jax and NEP
# make bench-mace  time of a step of dynamics with MACE, and its errors after training, in an environment of its own (6 GB)
# make lint  style and types of the code, style of the rules, and the workflow's own linter
# make lock  requirements.lock from pyproject.toml, with uv

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
SNAKEMAKE := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake
STAMP := .venv/.installed

.PHONY: env demo test test-slow test-slurm bench bench-mace lint lock clean

env: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $@

demo: env
	$(SNAKEMAKE) --cores $(CORES)

test: env
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest -m "not slow and not slurm" -n 2 --dist loadfile --no-loadscope-reorder

test-slow: env
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest -m "slow and not slurm"

test-slurm: env
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest -m slurm -rs tests/slurm

bench: env .venv/.bench
	$(SNAKEMAKE) timing_figure training_timing --cores $(CORES) --configfile config/studies/bench.yaml

.venv/.bench: requirements-bench.lock $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	touch $@

bench-mace: .venv-mace/.installed
	PYTHONPATH=workflow .venv-mace/bin/python -m bornflow.benchmarks.dynamics --peers mace --atoms 18 780 --out results/bench/mace.csv
	PYTHONPATH=workflow .venv-mace/bin/python -m bornflow.benchmarks.mace_training --labels resources/labels/water.extxyz --epochs 8 80 --out results/bench/mace-training.csv

.venv-mace/.installed: requirements-mace.lock
	$(PYTHON) -m venv .venv-mace
	.venv-mace/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-mace.lock
	touch $@

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/mypy
	$(SNAKEMAKE) --lint

lock:
	uv pip compile pyproject.toml --group dev --python-version 3.11 --universal --generate-hashes --no-header --output-file requirements.lock
	uv pip compile pyproject.toml --group dev --group bench --python-version 3.11 --universal --generate-hashes --no-header --constraint requirements.lock --output-file requirements-bench.lock
	uv pip compile pyproject.toml --group mace --python-version 3.11 --universal --generate-hashes --no-header --output-file requirements-mace.lock

clean:
	rm -rf .venv .venv-mace .pytest_cache .ruff_cache
