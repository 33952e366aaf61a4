# make demo | test | soak | lint | bench | clean: each does its own set-up.
# PYTHON=... names the Python to use; PIP_* of the environment is respected; JOBS sets how many
# tests run at once.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:

VENV := .venv
OLDEST := .venv-oldest
LINK := .collections/ansible_collections/hopper/dispatch
JOBS ?= 3
BENCH_WORKERS ?= 10

PIP := -m pip install --quiet --disable-pip-version-check
PYTEST := python -m pytest -n $(JOBS) --dist loadgroup
# Ansible and the tools are found on PATH.
IN_VENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
# The page is not installed there, and what only takes long shows nothing more.
NOT_WITH_OLDEST := $(addprefix --ignore tests/,acceptance/test_faults.py \
  integration/test_adhoc_native.py content/test_container.py content/test_docs.py \
  unit/cli/test_web_access.py unit/web web)
IN_OLDEST := PATH="$(CURDIR)/$(OLDEST)/bin:$$PATH"

.PHONY: help demo test soak lint bench clean collections frontend unit oldest oldest-rig \
  coverage system-packages

help:
	@echo 'make demo    three small jobs on two local workers, with a live display'
	@echo 'make test    lint and all tests but the long ones (15 minutes)'
	@echo 'make soak    the long fault tests, and real workers with the oldest Ansible (25 minutes)'
	@echo 'make lint    style, types, import layers, Ansible content'
	@echo 'make bench   the figures of docs/performance.md'
	@echo 'make clean   remove what the others made'

demo: $(VENV)/.installed collections
	@$(IN_VENV) hopper demo

test: lint unit coverage oldest

soak: $(VENV)/.installed-test collections system-packages frontend oldest-rig
	$(IN_VENV) $(PYTEST) -m soak tests

lint: $(VENV)/.installed-test collections
	$(IN_VENV) ruff check .
	$(IN_VENV) ruff format --check .
	$(IN_VENV) mypy
	@$(IN_VENV) lint-imports --no-cache > $(VENV)/imports.txt || { cat $(VENV)/imports.txt; exit 1; }
	$(IN_VENV) yamllint --strict .
	$(IN_VENV) ansible-lint -q

bench: $(VENV)/.installed-test collections
	$(IN_VENV) python bench/store.py
	$(IN_VENV) python bench/tick.py
	$(IN_VENV) python bench/poll.py
	$(IN_VENV) python bench/runs.py
	$(IN_VENV) python bench/web.py
	$(IN_VENV) python bench/dispatch.py $(BENCH_WORKERS)

clean:
	rm -rf $(VENV) $(OLDEST) .ansible .coverage .coverage.* .hypothesis .import_linter_cache
	rm -rf .mypy_cache .pytest_cache .ruff_cache build dist hopper-demo htmlcov
	rm -rf src/hopper/web/static/vendor tests/web/vendor

# --- the parts of test

unit: $(VENV)/.installed-test collections system-packages frontend
	rm -f .coverage .coverage.*
	$(IN_VENV) $(PYTEST) --cov --cov-report= tests

coverage: $(VENV)/.installed-test
	$(IN_VENV) coverage report --fail-under=100 \
	  --include='src/hopper/model/*,src/hopper/dispatch/policy.py,src/hopper/dispatch/visits.py'
	$(IN_VENV) coverage report --fail-under=90

oldest: $(OLDEST)/.installed collections
	$(IN_OLDEST) $(PYTEST) -m 'ansible and not soak and not rig' $(NOT_WITH_OLDEST) tests

oldest-rig: $(OLDEST)/.installed collections system-packages
	$(IN_OLDEST) $(PYTEST) -m 'ansible and not soak and rig' $(NOT_WITH_OLDEST) tests

# --- set-up

system-packages:
	@sh tests/system-packages.sh

# Browsers' files from npm: an install before npm was there did without. Tests say what they skip.
frontend: $(VENV)/.installed system-packages
	@$(IN_VENV) python -m hopper.web.frontend || true
	@$(IN_VENV) python -m hopper.web.frontend tests/web tests/web/vendor || true

# A checkout without its link (a downloaded archive, say) gets it back.
collections:
	@[ -e $(LINK)/galaxy.yml ] || { \
	  mkdir -p $(dir $(LINK)) && rm -f $(LINK) && ln -s ../../.. $(LINK); }

$(VENV)/.made: .ci/venv
	@sh .ci/venv $(VENV)
	@touch $@

$(OLDEST)/.made: .ci/venv
	@sh .ci/venv $(OLDEST)
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.made
	@echo 'installing hopper into $(VENV)'
	@$(VENV)/bin/python $(PIP) -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml $(VENV)/.installed
	@echo 'installing what the tests need into $(VENV)'
	@$(VENV)/bin/python $(PIP) -e '.[test]'
	@touch $@

$(OLDEST)/.installed: pyproject.toml .ci/oldest $(OLDEST)/.made
	@echo 'installing hopper with the oldest Ansible into $(OLDEST)'
	@$(OLDEST)/bin/python $(PIP) -e . hypothesis 'pytest>=8.3,<9.2' 'pytest-xdist>=3.6' \
	  $$($(OLDEST)/bin/python .ci/oldest)
	@touch $@
