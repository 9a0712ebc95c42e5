# Bare `make` lists the targets.
SHELL := /bin/bash
VENV  := .venv
BIN   := $(VENV)/bin
export HF_HUB_OFFLINE := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format types docs clean bench-setup bench bench-full pack

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.complete ## create .venv, install the pinned dependencies, resolve the Delta jars

# Installed again only when the pins or the dependencies change.
$(VENV)/.complete: pyproject.toml constraints.txt setup.sh
	@./setup.sh $(VENV) .jars
	@touch $@

demo: setup ## run the whole pipeline on 20,000 real reviews and print a few answers
	@$(BIN)/reviewgen demo --env demo

# Two files at a time: a test of Spark mostly waits for one thread of its driver. In the order of folders, because the
# longest tests are in tests/e2e.
test: setup ## run every test
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=10 $(PYTEST_ARGS)

lint: setup ## ruff: lint and format check
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: setup ## ruff: format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

types: setup ## mypy, strict on the package
	@$(BIN)/mypy

docs: setup ## write docs/data-dictionary.md, docs/commands.md and docs/configuration.md from the code
	@$(BIN)/python -m reviewgen_spark.schemas.data_dictionary docs/data-dictionary.md
	@$(BIN)/python -m reviewgen_spark.cli.reference docs/commands.md
	@$(BIN)/python -m reviewgen_spark.cli.settings_reference docs/configuration.md

bench-setup: setup ## install the benchmarks' rivals into .bench-venv, an environment of their own
	@test -x .bench-venv/bin/python || $(BIN)/python -m venv .bench-venv
	@.bench-venv/bin/python -m pip install --quiet --disable-pip-version-check -c benchmarks/constraints.txt \
	  pyspark py-data-juicer datatrove text-dedup datasketch beautifulsoup4 py3langid jieba opencc spacy orjson

bench: setup ## every benchmark at a small size, within 15 minutes; its verdict is indicative
	@$(BIN)/python benchmarks/b1_text.py --rows 50000 --rival-rows 20000 --turns 1
	@$(BIN)/python benchmarks/b2_dedup.py --rows 50000 --rival-rows 20000 --turns 1
	@$(BIN)/python benchmarks/b3_label.py --rows 2000 --rival-rows 400 --turns 1
	@$(BIN)/python benchmarks/b5_generate.py --rows 600 --rival-rows 128 --row-rows 24 --turns 1
	@$(BIN)/python benchmarks/b6_nightly.py --rows 20000 --turns 1
	@$(BIN)/python benchmarks/b7_kill.py --trials 2 --rows 200 --batches 4 --skip-lease
	@$(BIN)/python benchmarks/b8_gpu.py --turns 1
	@$(BIN)/python benchmarks/b9_ingest.py --rows 60000 --turns 1

# B4 needs a teacher, its student and their corpus: make bench-full B4="--teacher FOLDER --student FOLDER --corpus FOLDER"
bench-full: bench-setup ## every benchmark at the size of its bars, three hours; writes benchmarks/results
	@$(BIN)/python benchmarks/b1_text.py --json benchmarks/results/b1_text.json
	@$(BIN)/python benchmarks/b2_dedup.py --json benchmarks/results/b2_dedup.json
	@$(BIN)/python benchmarks/b3_label.py --json benchmarks/results/b3_label.json
	@$(BIN)/python benchmarks/b5_generate.py --json benchmarks/results/b5_generate.json
	@$(if $(B4),$(BIN)/python benchmarks/b4_compressed.py $(B4) --json benchmarks/results/b4_compressed.json,echo "B4: left out, see its line in the Makefile")
	@$(BIN)/python benchmarks/b6_nightly.py --json benchmarks/results/b6_nightly.json
	@$(BIN)/python benchmarks/b7_kill.py --json benchmarks/results/b7_kill.json
	@$(BIN)/python benchmarks/b8_gpu.py --json benchmarks/results/b8_gpu.json
	@$(BIN)/python benchmarks/b9_ingest.py --turns 1 --json benchmarks/results/b9_ingest.json
	@$(BIN)/python benchmarks/dedup_quality.py --json benchmarks/results/dedup_quality.json

pack: setup ## dist/: the wheel, and the executors' libraries as an archive; EXTRAS=weak,serve packs torch too
	@./pack.sh $(VENV) dist $(EXTRAS)

clean: ## remove what the demo and local runs wrote (var/); keeps .venv and .jars
	rm -rf var
