# On a fresh machine with Python, make and a package index, `make demo` and `make test` do all the set-up.
# uv is used if you have it. Otherwise it is installed into .uv; nothing outside this folder is touched.
PYTHON ?= python3
UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := $(UV) run --frozen --no-sync

.PHONY: demo test check audit bench image ci-tests clean

demo: .venv/ready
	@cd examples/sgd-classifier && PATH="$(CURDIR)/.venv/bin:$$PATH" trialflow optimize

test: .venv/ready
	$(RUN) pytest -n 2 --dist loadscope -m "not slow and not cluster"

check: .venv/ready
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) pyright
	$(RUN) lint-imports
	$(RUN) python .ci/file_sizes.py

# Known vulnerabilities of what uv.lock pins, as https://osv.dev knows them. uv's exit code 2 means that it could not ask.
audit: .venv/ready
	@$(UV) audit --frozen --preview-features audit-command || { [ $$? = 2 ] && echo "skipped: the database of vulnerabilities could not be asked"; }

bench: .venv/ready
	$(RUN) python -m benchmarks

# The image of trialflow that `trialflow cluster install-plugins --server` would push, in the engine of this machine.
image: .venv/ready
	@$(RUN) python -m tasks.images.own

ci-tests:
	.ci/run

.venv/ready: pyproject.toml uv.lock $(filter .uv/bin/uv,$(UV))
	$(UV) sync --frozen --compile-bytecode --quiet
	@touch $@

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

clean:
	rm -rf .venv .uv .client-tests dist build
