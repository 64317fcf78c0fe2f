# The two commands of the README are `make serve` and `make test`; the rest is for those who change the code.
PYTHON ?= python3
DATA_DIR ?= data
HOST ?= 127.0.0.1
PORT ?= 8080

BIN := .venv/bin
SOURCES := aboveboard consent moderation tests benchmarks hatch_build.py
# A file's tests share a service, so a file stays in one process.
PARALLEL := --numprocesses=auto --maxprocesses=4 --dist=loadfile

# Tests start hundreds of processes: each may keep what it has compiled for the next.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: serve test test-clients test-verifiers test-sanitizers check fix bench bench-ledger bench-queue bench-backup bench-model lock clean

serve: .venv/.serve
	$(BIN)/aboveboard serve --data-dir $(DATA_DIR) --host $(HOST) --port $(PORT)

test: .venv/.test
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(PARALLEL)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# Node.js and npm have to be there; of PHP the tests say where it comes from.
test-clients: .venv/.clients
	$(BIN)/pytest tests/clients

# What is compiled of scoring, under GCC's sanitizers; afterwards it is compiled as before.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
test-sanitizers: .venv/.test
	CFLAGS="$(SANITIZE)" LDFLAGS="$(SANITIZE)" $(INSTALL)
	ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
	  LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	  $(BIN)/pytest tests/moderation/model/test_native.py; status=$$?; $(INSTALL) && exit $$status

# Go comes from a wheel; Node.js and npm have to be there.
test-verifiers: .venv/.verifiers
	$(BIN)/pytest tests/verifiers

check: .venv/.test
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

fix: .venv/.test
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

bench-ledger: .venv/.test
	$(BIN)/python benchmarks/ledger.py
	$(BIN)/python benchmarks/evidence.py

bench-queue: .venv/.test
	$(BIN)/python benchmarks/reviewing.py

bench-backup: .venv/.test
	$(BIN)/python benchmarks/backup.py

# Where the public data files lie that models/README.md names; they are not in the repository.
MODEL_DATA ?= data/comments
bench-model: .venv/.peers
	$(BIN)/python benchmarks/model.py --data $(MODEL_DATA)

bench: .venv/.test
	$(BIN)/python benchmarks/run.py

# The locks are made with uv (`pip install uv`); nothing else needs it.
lock:
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
	  --extra postgres --group pyproject.toml:build pyproject.toml -o requirements/serve.txt
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
	  --extra postgres --group pyproject.toml:build --group pyproject.toml:test pyproject.toml -o requirements/test.txt
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
	  --constraint requirements/test.txt --group pyproject.toml:clients -o requirements/clients.txt
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
	  --group pyproject.toml:verifiers -o requirements/verifiers.txt
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
	  --group pyproject.toml:peers -o requirements/peers.txt

# What venv makes last: without Debian's python3-venv it ends half way, and is begun anew.
.venv/bin/pip:
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v >= (3, 11) or sys.exit(f"aboveboard needs Python 3.11 or newer, this is {v[0]}.{v[1]}; try: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv

.venv/.serve: .venv/bin/pip requirements/serve.txt pyproject.toml hatch_build.py moderation/model/native.pyx
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/serve.txt
	$(INSTALL)
	touch $@

.venv/.test: .venv/.serve requirements/test.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	touch $@

.venv/.verifiers: .venv/.test requirements/verifiers.txt tests/verifiers/node/package-lock.json
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/verifiers.txt
	npm ci --loglevel=error --prefix tests/verifiers/node
	touch $@

.venv/.clients: .venv/.test requirements/clients.txt tests/clients/node/package-lock.json
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/clients.txt
	npm ci --loglevel=error --prefix tests/clients/node
	tests/clients/php/unpack
	touch $@

.venv/.peers: .venv/.test requirements/peers.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/peers.txt
	touch $@

clean:
	rm -rf .venv .coverage .coverage.* .mypy_cache .ruff_cache .hypothesis tests/verifiers/node/node_modules \
	  tests/clients/node/node_modules tests/clients/php/wordpress
