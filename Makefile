# Bare `make` lists the targets.
SHELL := /bin/bash
VENV  := .venv
BIN   := $(VENV)/bin
export HF_HUB_OFFLINE := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format types docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.complete ## create .venv, install the pinned dependencies, resolve the Delta jars

# Installed again only when the pins or the dependencies change.
$(VENV)/.complete: pyproject.toml constraints.txt setup.sh
	@./setup.sh $(VENV) .jars
	@touch $@

demo: setup ## run the whole pipeline on 20,000 real reviews and print a few answers
	@$(BIN)/reviewgen demo --env demo

test: setup ## run every test
	@$(BIN)/pytest $(PYTEST_ARGS)

lint: setup ## ruff: lint and format check
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: setup ## ruff: format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

types: setup ## mypy, strict on the package
	@$(BIN)/mypy

docs: setup ## write docs/data-dictionary.md from schemas.py
	@$(BIN)/python -m reviewgen_spark.data_dictionary docs/data-dictionary.md

clean: ## remove what the demo and local runs wrote (var/); keeps .venv and .jars
	rm -rf var
