# Every target uses the environment that scripts/test makes (.venv).
PYTHON = .venv/bin/python
# As in scripts/test: several tests at once, those of a file together.
WORKERS = -n auto --dist loadfile --no-loadscope-reorder
RESULTS = build/results

.PHONY: test soak promises space-run screenshots

# The gate: lint, types, tests.
test:
	./scripts/test

# The parts that take minutes: a thousand runs, two thousand damaged models. After them the tests
# that hold promises in seconds and bytes, which the gate asks only for what happens.
soak:
	mkdir -p $(RESULTS)
	timeout 1200 $(PYTHON) -m pytest tests/soak -m soak --junitxml=$(RESULTS)/soak.xml; \
	status=$$?; $(PYTHON) scripts/make_promises.py $(RESULTS)/soak.xml && exit $$status
	timeout 1200 $(PYTHON) -m pytest --bounds -m bounds

# All other tests, and docs/promises.md with their results.
promises:
	mkdir -p $(RESULTS)
	$(PYTHON) -m pytest $(WORKERS) -m "not soak" --junitxml=$(RESULTS)/tests.xml; \
	status=$$?; $(PYTHON) scripts/make_promises.py $(RESULTS)/tests.xml && exit $$status

# The run in a Space's surroundings, and docs/spaces.md with its record.
space-run:
	SPACE_RUN_RECORD=docs/space_run.json $(PYTHON) -m pytest tests/space -m space
	$(PYTHON) scripts/make_space_run.py

# Pictures of every screen on the starter models, in docs/screens, and docs/screens.md with them.
# What was cut off goes on by: python scripts/make_screens.py --resume
screenshots:
	$(PYTHON) scripts/make_screens.py
