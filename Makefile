# Each target sets up what it needs in a fresh clone.
.PHONY: help run test check schema bench lock sbom
PYTHON ?= python3
VENV ?= .venv
PY = $(VENV)/bin/python

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | expand -t 14

PORT ?= 8000
run: $(VENV)/.site ## serve a first look at http://127.0.0.1:8000, with demo data and logins (PORT=9000)
	$(PY) manage.py demo 127.0.0.1:$(PORT)

PYTEST ?= -n auto --dist worksteal
test: $(VENV)/.site ## run the tests on SQLite, with nothing else installed (PYTEST="-k parsing")
	ENV_FILE= MANAGER_IPS=123.123.123.123,127.0.0.2 $(PY) -m pytest $(PYTEST)

check: $(VENV)/.dev ## lint, types, migrations, settings for production, schema
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	ENV_FILE= $(PY) manage.py makemigrations --check --dry-run
	@ENV_FILE=.env.example SECRET_KEY=$(SECRET) TICKET_KEY=$(SECRET) RECEIPT_KEY=$(SECRET) \
	  $(PY) manage.py check --deploy --fail-level WARNING
	@echo "docs/openapi.yaml is what the code says, or: make schema"
	@$(SCHEMA) | diff -u docs/openapi.yaml -
SCHEMA = ENV_FILE= $(PY) manage.py spectacular --validate --fail-on-warn
SECRET = $$($(PY) -c 'import secrets; print(secrets.token_hex(32))')

schema: $(VENV)/.dev ## write docs/openapi.yaml anew
	$(SCHEMA) --file docs/openapi.yaml

bench: $(VENV)/.site ## measure how fair and how fast it is (minutes)
	$(PY) -m benchmarks

lock: $(VENV)/.dev ## pin the newest versions for production and development
	$(COMPILE) --generate-hashes --output-file requirements.lock requirements.in
	$(COMPILE) --generate-hashes --constraint requirements.lock \
	  --output-file requirements-accounts.lock requirements-accounts.txt
	$(COMPILE) --output-file requirements-dev.txt requirements-dev.in
COMPILE = CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m piptools compile --quiet --upgrade \
  --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links

SBOM ?= .
sbom: $(VENV)/.dev ## write bills of materials of what production installs (CycloneDX)
	for name in requirements requirements-accounts; do \
	  $(PY) -m cyclonedx_py requirements $$name.lock --pyproject pyproject.toml \
	    --output-reproducible --output-file $(SBOM)/$$name.cdx.json || exit; done

$(PY):
	$(PYTHON) -m venv $(VENV)
$(VENV)/.site: $(PY) requirements.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@
$(VENV)/.dev: $(PY) requirements-dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@ $(VENV)/.site
