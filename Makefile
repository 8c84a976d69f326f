# Everything runs in .venv, which the first target makes by itself from requirements.txt.
#
#   make book         build the site into _build/html, with the outputs stored in notebooks/
#   make test         style, types, the site, every notebook run again, all tests: WORKERS=2 at a
#                     time, or as many as cores and memory allow
#   make notebooks    execute the chapters whose code, or the package, changed
#                     (CHAPTERS=01-bottleneck for some, FORCE=1 for those that did not change)
#   make slides       build the decks alone, into _build/slides
#   make serve        show the site on http://localhost:8000
#   make lab          open the notebooks in JupyterLab, which the first time installs into .venv
#   make pocket-model  train the model that ships with the package again
#   make bench        speed and memory beside torch.nn.Transformer, Marian and CTranslate2, on two threads
#                     (PEER=x-transformers, labml-nn or joeynmt in an environment of its own)
#   make figures      draw the pictures in book/images again, from the package
#   make site         build a copy for others into _build/site: REPOSITORY=https://... says where its
#                     code is, SITE=https://... where its pages will be
#   make colab-test   run a notebook as Colab would, in an environment with Colab's versions
#   make clean        remove what the targets above made, except .venv

.DELETE_ON_ERROR:
.PHONY: book test lint test-notebooks test-python notebooks slides serve lab pocket-model bench \
	figures site colab-test clean

# The pins are tested with Python 3.11; take it where it is, else any newer one.
CANDIDATES := python3.11 python3.12 python3.13 python3 python
RECENT := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for candidate in $(CANDIDATES); do \
	$$candidate -c '$(RECENT)' 2>/dev/null && echo $$candidate && break; done)

BIN := .venv/bin
JUPYTERLAB := jupyterlab==4.6.6
INSTALLED := .venv/.installed
HTML := _build/html
# What else lies in notebooks/ is a reader's own.
NOTEBOOKS := $(patsubst book/%.md,notebooks/%.ipynb,$(wildcard book/[0-9][0-9]-*.md))
PORT ?= 8000

# Models of the size used here are fastest on one thread, and the same on every machine.
export OMP_NUM_THREADS := 1
# So each core has a process of its own. One with a browser and a model takes up to 2 GiB.
COUNT := import os, psutil; print(max(1, min(os.cpu_count(), psutil.virtual_memory().total >> 31)))
WORKERS ?= $(shell $(BIN)/python -c '$(COUNT)')
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS)

# $(call timed,NAME,COMMAND) runs a command and says how long it took.
timed = @began=$$(date +%s); $(2); status=$$?; \
	echo "-- $(1): $$(($$(date +%s) - began)) s"; exit $$status

book: $(INSTALLED)
	$(call timed,site,$(BIN)/python -m bookbuild book)

notebooks: $(INSTALLED)
	$(BIN)/python -m bookbuild notebooks $(if $(FORCE),--force) $(CHAPTERS)

slides: $(INSTALLED)
	$(BIN)/python -m bookbuild slides

# The first three at once, each with its words in one piece where `make` can do that.
test: $(INSTALLED)
	@$(MAKE) --no-print-directory --jobs=3 $(if $(filter output-sync,$(.FEATURES)),--output-sync) \
		lint book test-notebooks
	@$(MAKE) --no-print-directory test-python

lint: $(INSTALLED)
	$(call timed,style and types,\
		$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy)

# Strict: every output that is stored has to come out again.
test-notebooks: $(INSTALLED)
	$(call timed,notebooks,TQDM_DISABLE=1 $(PYTEST) --dist loadfile --nbval --nbval-current-env \
		--nbval-sanitize-with notebooks/sanitize.cfg -o filterwarnings= $(NOTEBOOKS))

test-python: $(INSTALLED)
	$(call timed,tests,$(PYTEST) --dist worksteal tests)

serve: book
	$(BIN)/python -m http.server --bind localhost --directory $(HTML) $(PORT)

lab: $(BIN)/jupyter-lab
	$(BIN)/jupyter-lab notebooks

# Beside the pinned environment, and with its versions.
$(BIN)/jupyter-lab: | $(INSTALLED)
	$(BIN)/pip install --constraint requirements.txt $(JUPYTERLAB)

pocket-model: $(INSTALLED)
	$(BIN)/python benchmarks/pocket_model.py

bench: $(INSTALLED)
	$(BIN)/python benchmarks/$(if $(PEER),peers.py $(PEER),speed.py)

figures: $(INSTALLED)
	$(BIN)/python book/figures/pocket_attention.py

colab-test: $(INSTALLED)
	$(BIN)/python -m pytest -o filterwarnings= tests/colab

site: $(INSTALLED)
	$(BIN)/python -m bookbuild site --repository '$(REPOSITORY)' --site '$(SITE)'

clean:
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# An unchanged requirements.txt installs nothing again.
$(INSTALLED): requirements.txt pyproject.toml
	@'$(or $(PYTHON),false)' -c '$(RECENT)' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed, but $(if $(PYTHON),'$(PYTHON)' is older or does not run,none was found on PATH)." >&2; \
		echo "Install it, or name one: make book PYTHON=/path/to/python3.11" >&2; exit 1; }
	'$(PYTHON)' -m venv .venv
	$(BIN)/pip install --requirement requirements.txt
	$(BIN)/pip install --no-deps --editable .
	@touch $@
