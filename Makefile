# Every command of the project; a bare `make` lists them.
#
# There are two environments. .venv-read is small and can only read; `make demo` uses it. .venv has
# everything, with torch; all other commands use it. Each is made by the first command that needs it.
#
# Settings:
#         make demo PYTHON=/path/to/python3.11    which Python builds the environment
#         make test TORCH=cpu                     torch without its CUDA libraries (6 GB less)
#         make notebooks NOTEBOOKS=notebooks/01*  some of them, by path
#         make search-page OUT=output/scans       the output folder to search
#         make search-page IP=0.0.0.0             for everyone in the network; there is no password
#         make workshop LOCK=env/read.lock        a folder for reading only, 20 times smaller
#         make workshop SYSTEM=windows            a folder for Windows; or macos; default: this computer's
#
# TORCH=cpu: torch and torchvision, in the versions of the lock, come from PyTorch's own wheel site, which
# uv knows by name. These wheels are not the files of the lock, so their hashes cannot be checked; all other
# packages are still installed from the lock and checked. The choice is remembered in .venv; `TORCH=lock`
# changes it back. The authors did not run this variant, because they could not reach that site.

UV_VERSION := 0.13.9
WORKSHOP := output/workshop
OUT   := output/read
IP    := localhost
READ  := .venv-read
VENV  := .venv
BIN   := $(VENV)/bin
LOCK  := env/requirements.lock
TORCH ?= $(if $(wildcard $(VENV)/.installed-cpu),cpu,lock)
ifeq ($(filter $(TORCH),lock cpu),)
$(error TORCH is cpu or lock, not "$(TORCH)")
endif
STAMP := $(VENV)/.installed-$(TORCH)
UV    := $(BIN)/uv
NOTEBOOKS ?= notebooks/*.ipynb

# Install into the environment $(1): the packages of a lock (sync), and this package itself (ours).
sync  = $(1)/bin/uv pip sync --python $(1)/bin/python --require-hashes
ours  = $(1)/bin/uv pip install --python $(1)/bin/python --no-deps --no-build-isolation --editable .

# Solve a .in file for all systems together, with one version of each package. Two packages are never
# installed (see env/overrides.txt), so they are left out of the locks.
compile = $(UV) pip compile --universal --python-version 3.11 --fork-strategy fewest \
	--override env/overrides.txt --no-emit-package opencv-python --no-emit-package openvino-telemetry \
	--generate-hashes --no-emit-index-url --no-annotate --no-header --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-full lab search-page notebooks check samples fonts workshop workshop-check lock clean clean-all

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-14s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## make .venv and install everything (the other commands do this when it is needed)

demo: $(READ)/.installed ## read the documents of data/samples into output/demo; installs only what reading needs
	$(READ)/bin/ocrkit read data/samples -o output/demo --format txt,json --overlay

# A test process for each core. Threads of torch that wait must not keep a core busy, because the other
# processes need it.
PYTEST := OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n logical --dist worksteal

test: $(STAMP) ## run the tests
	$(PYTEST)

test-full: $(STAMP) ## run the tests, the slow ones too
	$(PYTEST) -m ""

lab: $(STAMP) ## copy the notebooks to my_notebooks/, if they are not there yet, and open these in JupyterLab
	$(BIN)/python -m ocrkit.notebook.copies
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/my_notebooks

search-page: $(STAMP) ## search an output folder in a browser, without Python: make search-page OUT=output/scans
	$(BIN)/python -m ocrkit.notebook.search_page --ip "$(IP)" "$(OUT)"

notebooks: $(STAMP) ## run every notebook from top to bottom and store its outputs
	$(BIN)/python -m ocrkit.notebook.running $(sort $(wildcard $(NOTEBOOKS)))

check: $(STAMP) ## lint, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy ocrkit

samples: $(STAMP) ## make data/samples again; the result is always the same
	$(BIN)/python -m ocrkit.synth.samples data/samples

fonts: $(STAMP) ## list the fonts for training, and how to install the missing ones
	$(BIN)/python -m ocrkit.synth.fonts

workshop: $(READ)/.installed ## make output/workshop, a folder that installs the kit on other computers without a network
	$(READ)/bin/python env/workshop.py build $(WORKSHOP) $(LOCK) uv==$(UV_VERSION) $(SYSTEM)

workshop-check: $(READ)/.installed ## install from output/workshop without a network, and read the samples with it
	$(READ)/bin/python env/workshop.py check $(WORKSHOP)

lock: $(UV) ## solve env/*.in again into env/*.lock
	$(compile) env/requirements.in -o $(LOCK)
	$(compile) env/read.in --constraint $(LOCK) -o env/read.lock

clean: ## remove both environments and the caches; output/ and data/ stay
	rm -rf $(READ) $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The caches of uv and pip are shared with other projects, which then download their packages again.
clean-all: ## as clean, and remove output/, the generated data, and the caches of uv and pip; my_notebooks/ stays
	@for uv in $(UV) $(READ)/bin/uv; do if [ -x $$uv ]; then $$uv cache clean; break; fi; done
	@for python in $(BIN)/python $(READ)/bin/python; do \
		if [ -x $$python ]; then $$python -m pip cache purge; break; fi; done
	@if [ -d output ]; then find output -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +; fi
	rm -rf data/dataset data/dataset-quick
	@$(MAKE) --no-print-directory clean
	@echo "my_notebooks/ stays, because it is your work, and so does data/fonts"

# The environments. Each has a stamp file. It is newer than the lock and pyproject.toml if both of them are
# installed in their present form.
$(READ)/.installed: env/read.lock pyproject.toml $(READ)/bin/uv
	@rm -f $@
	@echo "Installing what reading needs into $(READ)"
	$(call sync,$(READ)) env/read.lock
	$(call ours,$(READ))
	@touch $@

$(STAMP): $(LOCK) pyproject.toml $(UV)
	@command -v $(CXX) >/dev/null || { echo "No C++ compiler ($(CXX)) found, and torch.compile needs one." \
		"Install it, then run make again: sudo apt-get install g++ (Debian, Ubuntu)," \
		"sudo dnf install gcc-c++ (Fedora)." >&2; exit 1; }
	@rm -f $(VENV)/.installed-*
	@echo "Installing everything into $(VENV) (TORCH=$(TORCH)); the first time, several GB are downloaded"
ifeq ($(TORCH),cpu)
	@awk '/^[a-z]/{keep = !/^(torch|torchvision|triton)==|^nvidia-/} keep' $(LOCK) > $(VENV)/cpu.lock
	$(call sync,$(VENV)) $(VENV)/cpu.lock
	$(UV) pip install --python $(BIN)/python --no-deps --torch-backend cpu \
		$$(grep -oE '^(torch|torchvision)==[^ ]+' $(LOCK))
else
	$(call sync,$(VENV)) $(LOCK)
endif
	$(call ours,$(VENV))
	@touch $@

# An empty environment with pip and uv; uv installs the rest.
$(READ)/bin/uv $(UV):
	@for python in $(or $(PYTHON),python3.11 python3); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then \
			found=$$python; break; \
		fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "No Python 3.11 found (tried: $(or $(PYTHON),python3.11 python3)); the locked environments are for" \
			"3.11. Install it (Debian, Ubuntu: sudo apt-get install python3.11 python3.11-venv)" \
			"or name one: make demo PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	"$$found" -m venv --clear $(@D:/bin=)
	$(@D)/python -m pip install --disable-pip-version-check uv==$(UV_VERSION)
