# Two commands on a bare machine: `make demo` draws, `make test` tests. Both make .venv if it is missing.
# `make test-fast` leaves out the tests marked slow.
# `make studio` opens the studio at http://127.0.0.1:7860 (PORT=N for another port).
# `make demo PRESET=fast` draws in fewer steps, `make demo DATASET=codraw` draws clip art; `make results` writes docs/
# anew from reports/. `make docs` builds the site into outputs/site; `make notebooks` executes the tutorials again, and
# `make pictures` the commands of the tour.
PYTHON ?= python3
BIN := .venv/bin
DATASET ?= iclevr
SAY_iclevr := Add a blue cube at the center|Add a red sphere behind it on the left|Add a green cylinder in front of it on the right and in front of the blue cube on the right|Add a yellow sphere behind it on the right and on the right of the blue cube|Add a purple cube behind it on the left and behind the blue cube on the right
SAY_codraw := big sun at the top left corner|small apple tree on the right side|in the middle a happy boy with his arms up facing right|on the left a girl sitting with legs crossed facing right|a dog in front of the boy on the right
# By the environment and unexpanded: a text may hold quotes, dollars and backticks.
ifdef SAY
export SAID := $(value SAY)
else
export SAID := $(SAY_$(DATASET))
endif
unexport SAY

# One thread a worker: two workers with two threads each would wait for each other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: demo studio test test-fast results docs notebooks pictures

demo: .venv/installed
	$(BIN)/cdd-icm generate --model data/pretrained/$(DATASET) $(if $(PRESET),--preset $(PRESET)) --say "$$SAID" --out outputs/demo

studio: .venv/installed-studio
	$(BIN)/cdd-icm studio --model data/pretrained/blocks data/pretrained/iclevr $(if $(PORT),--port $(PORT))

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(PYTEST)

test-fast: .venv/installed-test
	$(BIN)/ruff check .
	$(PYTEST) -m "not slow"

results: .venv/installed
	$(BIN)/python scripts/write_results.py

docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict -f docs/site/mkdocs.yml

notebooks: .venv/installed-docs
	$(BIN)/python docs/site/notebooks.py

pictures: .venv/installed
	$(BIN)/python scripts/docs_pictures.py

.venv/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $@

.venv/installed-studio: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[studio]'
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@
