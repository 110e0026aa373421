# Every target sets itself up: all it takes is Python 3.11 or newer with venv, and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LOCKS := playbooks/locks
STAMP := $(VENV)/.installed
KSERVE := .venv-kserve
SUPPLY := .venv-supply
SBOM := dist/sbom
LOADGEN := benchmarks/.build/unary_load

.PHONY: demo test test-unit test-integration fuzz stress test-doors test-faults soak test-screen test-browser test-observability test-system test-kserve \
  lab-install lab-up lab-down test-lab test-lab-faults test-pi check format lint types contracts generated \
  audit sbom bench bench-shelf bench-serving bench-peers zoo screenshots lock clean
.DEFAULT_GOAL := test

demo: $(STAMP)  ## an embedded farm, real digits through real gRPC, a report
	$(BIN)/farm demo

test: test-unit test-integration  ## every test that needs no root, no second machine and no patience

test-unit: $(STAMP)  ## the fast ones, on all cores
	$(BIN)/pytest -q -n auto tests/unit

# A farm takes half a gigabyte: four at a time, whatever the cores.
test-integration: $(STAMP)  ## real Ray, real gRPC, a sample of the fuzzing
	$(BIN)/pytest -q -n auto --maxprocesses 4 --dist loadfile --ignore=tests/unit tests

fuzz: $(STAMP)  ## 50,000 malformed requests and hundreds of malformed models
	$(BIN)/pytest -q -m fuzz tests/fuzz

stress: $(STAMP)  ## hundreds of loads and unloads under traffic
	$(BIN)/pytest -q -m stress tests/integration

test-doors: $(STAMP)  ## who is let in by which certificate or token; hostile input; secrets
	$(BIN)/pytest -q -m doors tests/integration

test-faults: $(STAMP)  ## processes that die, hang and slow down; overload, poison, clients that leave; gateways that hand over
	$(BIN)/pytest -q -m "faults and not lab" tests

# How long, from which seed on; SOAK_ROUND=N begins with the round that failed.
SOAK_S ?= 3600
SOAK_SEED ?= 1
soak: $(STAMP)  ## mixed load with faults by a seed for an hour: memory stays flat
	SOAK_S=$(SOAK_S) SOAK_SEED=$(SOAK_SEED) $(BIN)/pytest -q -m faults -o log_cli=true -o log_cli_level=INFO tests/faults/test_soak.py

test-screen: $(STAMP)  ## the operator's screen before a real farm, in terminals, before gateways that talk nonsense
	$(BIN)/pytest -q -m screen tests

test-browser: $(STAMP)  ## the report's page in headless Chromium; as root installs that where it is missing
	@command -v chromium chromium-browser >/dev/null || \
	  { test "$$(id -u)" = 0 && apt-get install -y --no-install-recommends chromium; } || \
	  { echo "there is no Chromium here: apt install chromium" >&2; exit 1; }
	$(BIN)/pytest -q -m browser tests/integration

test-observability: $(STAMP)  ## alerts, dashboard and metrics in a real Prometheus; as root installs that where it is missing
	@command -v promtool >/dev/null || \
	  { test "$$(id -u)" = 0 && apt-get install -y --no-install-recommends prometheus && \
	    { systemctl disable --now prometheus >/dev/null 2>&1 || true; }; } || \
	  { echo "there is no Prometheus here: apt install prometheus" >&2; exit 1; }
	$(BIN)/pytest -q -m observability tests/integration

test-system: $(STAMP)  ## against a real sshd, nftables and fish; as root installs what is missing
	@{ command -v /usr/sbin/sshd && command -v nft && command -v fish; } >/dev/null || \
	  { test "$$(id -u)" = 0 && apt-get install -y --no-install-recommends openssh-server nftables fish && \
	    { systemctl disable --now ssh nftables >/dev/null 2>&1 || true; }; } || \
	  { echo "missing here: apt install openssh-server nftables fish" >&2; exit 1; }
	$(BIN)/pytest -q tests/unit/playbooks/test_ssh.py tests/unit/playbooks/test_firewall.py \
	  tests/unit/cli/test_cli_completion.py

test-kserve: $(STAMP) $(KSERVE)/.installed  ## another project's client, in an environment of its own
	$(BIN)/pytest -q -m kserve tests/kserve

# Hosts on this machine; as root. docs/lab.md
LAB ?= shelf
LABS := PYTHONPATH=tests/lab $(BIN)/python -m lab

lab-install: $(STAMP)  ## the Debian packages that a lab needs here
	$(LABS) prepare --install

lab-up: $(STAMP)  ## three bare hosts that stay until lab-down
	$(LABS) prepare
	$(LABS) up --lab $(LAB)

lab-down: $(STAMP)
	$(LABS) down --lab $(LAB)

test-lab: $(STAMP)  ## bootstrap, doctor and upgrade of hosts over SSH, cut off at any step
	$(LABS) prepare
	$(BIN)/pytest -q -m "lab and not faults" tests/lab

test-lab-faults: $(STAMP)  ## plugs of real hosts pulled: power, cables, clocks, processes; about 20 minutes
	$(LABS) prepare
	$(BIN)/pytest -q -m "lab and faults" tests/lab

test-pi: $(STAMP)  ## the same on an emulated arm64 Pi
	$(LABS) prepare --arch arm64
	$(BIN)/pytest -q -m pi tests/lab

check: format lint types contracts generated test  ## everything a change must pass

format: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)  ## the import table of docs/architecture.md
	$(BIN)/lint-imports --no-logo

generated: $(STAMP)  ## generated code is what protos/ would generate
	$(BIN)/python protos/generate.py --check

# Not part of check: whether a package is safe is known elsewhere, and changes without a change here.
audit: $(SUPPLY)/.installed  ## every locked package against the advisories of PyPI; needs PyPI itself
	@for lock in head node onnxruntime pip dev; do \
	  echo "$$lock.txt:" && $(SUPPLY)/bin/pip-audit --strict --disable-pip --require-hashes \
	    --progress-spinner off -r $(LOCKS)/$$lock.txt || failed="$$failed $$lock.txt"; \
	done; \
	test -z "$$failed" || { echo "make: not shown to be safe:$$failed. Where a vulnerability is named," \
	  "raise its version (make lock UPGRADE=--upgrade); where pip-audit could not ask, run this with" \
	  "access to PyPI itself" >&2; exit 1; }

sbom: $(SUPPLY)/.installed  ## what a head and a node install, as CycloneDX; the same bytes each time
	@mkdir -p $(SBOM)
	for role in head node; do \
	  $(SUPPLY)/bin/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --validate \
	    --sv 1.6 --output-reproducible --of JSON -o $(SBOM)/$$role.cdx.json $(LOCKS)/$$role.txt || exit 1; \
	done

bench: bench-serving  ## measure, and write docs/benchmarks/
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.many_models
	$(BIN)/python -m benchmarks.model_load
	$(BIN)/python -m benchmarks.streaming
	$(BIN)/python -m benchmarks.energy_cost
	$(BIN)/python -m benchmarks.ledger
	$(BIN)/python -m benchmarks.machine_cost
	$(BIN)/python -m benchmarks.simulated_shelf
	$(BIN)/python -m benchmarks.screen
	$(BIN)/python -m benchmarks.recordings

bench-shelf:  ## bootstrap in the lab, as root; about 20 minutes
	$(BIN)/python -m benchmarks.shelf

bench-serving: bench-peers  ## this farm, its peers and bare ONNX Runtime
	$(BIN)/python -m benchmarks.serving

bench-peers: $(STAMP) $(LOADGEN)  ## the peers, in environments of their own; those that fail are told
	$(BIN)/python -m benchmarks.peer_environments

zoo: $(STAMP)  ## train the shipped models anew; one seed and machine, the same files
	$(BIN)/python -m farm.zoo.train_digits

screenshots: $(STAMP)  ## docs/images/, from a real run
	$(BIN)/python docs/images/make_demo.py
	$(BIN)/python docs/images/make_top.py

# uv writes a lock for x86-64 and aarch64 at once; pip installs from it. Locked as well: every
# onnxruntime that a class of CPU may get, and the pip that installs on hosts.
COMPILE = ../../$(VENV)/lock/bin/uv pip compile --universal --python-version 3.11 \
  --generate-hashes --custom-compile-command "make lock"

lock:
	$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install -q uv
	cd $(LOCKS) && for target in dev head node; do \
	  case $$target in \
	    dev) wanted="--extra all --group ../../pyproject.toml:dev" ;; \
	    head) wanted="--extra node --extra head --extra tracing -c dev.txt" ;; \
	    node) wanted="--extra node -c dev.txt" ;; \
	  esac; \
	  $(COMPILE) ../../pyproject.toml $$wanted $(UPGRADE) -o $$target.txt >/dev/null || exit 1; \
	done
	cd $(LOCKS) && echo pip | $(COMPILE) - $(UPGRADE) -o pip.txt >/dev/null
	cd $(LOCKS) && printf 'cyclonedx-bom\npip-audit\n' | $(COMPILE) - $(UPGRADE) -o ../../.ci/supply-chain.txt >/dev/null
	cd $(LOCKS) && for version in $$(grep -o '"[0-9.]*"' onnxruntime.toml | tr -d '"' | sort -Vu); do \
	  echo "onnxruntime==$$version" | $(COMPILE) - --no-deps --no-annotate $$header || exit 1; \
	  header=--no-header; \
	done >onnxruntime.txt

clean:
	rm -rf $(VENV) $(KSERVE) $(SUPPLY) $(SBOM) benchmarks/.build benchmarks/.venvs

$(KSERVE)/.installed: tests/kserve/requirements.txt
	$(PYTHON) -m venv $(KSERVE)
	$(KSERVE)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(SUPPLY)/.installed: .ci/supply-chain.txt
	$(PYTHON) -m venv $(SUPPLY)
	$(SUPPLY)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Without it the benchmark takes its generator in Python, and says so.
$(LOADGEN): benchmarks/loadgen/unary_load.cpp
	@mkdir -p $(@D)
	@$(CXX) -std=c++17 -O2 -Wall -Wextra -o $@ $< $$(pkg-config --cflags --libs grpc++) || \
	  echo "make: no compiled load generator: it needs g++, pkg-config and libgrpc++-dev" >&2

$(STAMP): pyproject.toml $(LOCKS)/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: $(PYTHON) is $$($(PYTHON) --version 2>&1); Python 3.11 or newer is needed: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
