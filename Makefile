# On a fresh machine with Python, make and a package index: `make demo` and `make test` do all the set-up.
# uv is used if it is there; otherwise it is installed into .uv, and nothing outside this folder is touched.
PYTHON ?= python3
UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := $(UV) run --frozen --no-sync

.PHONY: demo test check ci-tests bench clean

demo: .venv/ready
	@cd examples/sgd-classifier && PATH="$(CURDIR)/.venv/bin:$$PATH" trialflow optimize

test: .venv/ready
	$(RUN) pytest -n 2 --dist loadscope -m "not slow and not cluster"

check: .venv/ready
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) pyright
	$(RUN) lint-imports

bench: .venv/ready
	$(RUN) python -m benchmarks

.venv/ready: pyproject.toml uv.lock $(filter .uv/bin/uv,$(UV))
	$(UV) sync --frozen --compile-bytecode --quiet
	@touch $@

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

clean:
	rm -rf .venv .uv dist build
