#!/bin/sh
# Builds with AddressSanitizer and UBSan in build/sanitize and runs the native part of the test-suite:
# tests/conformance and tests/fault, plus the behaviour tests of memory, views, autograd and exchange.
# Leak detection is off because CPython itself keeps memory until it exits.
# The examples' libraries are not installed for it, and a sanitizer does not hand memory out again.
# TESTS chooses other tests; JOBS the number of compilers.
set -eu
cd "$(dirname "$0")/.."
: "${PYTHON:=python3}" "${JOBS:=2}" "${TESTS:=tests/conformance tests/fault tests/behaviour}"

test -x .venv-sanitize/bin/python || "$PYTHON" -m venv .venv-sanitize
python=$PWD/.venv-sanitize/bin/python
"$python" -m pip install -q "cmake>=3.20" ninja "onednn-devel-cpu-gomp==2023.2.0" \
    "onednn-cpu-gomp==2023.2.0" "scipy-openblas32>=0.3.29" numpy "pytest>=8" scipy tqdm pillow

build=build/sanitize
PATH="$PWD/.venv-sanitize/bin:$PATH"
export PATH
cmake -S . -B "$build" -G Ninja -DRUSHLIGHT_SANITIZE=ON -DPython_EXECUTABLE="$python" >/dev/null
cmake --build "$build" -j "$JOBS"

# A package of links to the sources, with the instrumented module beside them.
rm -rf "$build/package"
mkdir -p "$build/package/rushlight"
for entry in "$PWD"/rushlight/*; do
    case $entry in *.so | *__pycache__) ;; *) ln -s "$entry" "$build/package/rushlight/" ;; esac
done
ln -s "$PWD/$build"/_native*.so "$build/package/rushlight/"

# Reports go to files, as the test runner keeps the output of a process that ends at once.
report=$PWD/$build/report
rm -f "$report".*
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so) $(gcc -print-file-name=libstdc++.so)" \
ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:log_path="$report" \
UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:log_path="$report" \
PYTHONMALLOC=malloc PYTHONPATH="$build/package" \
    "$python" .venv-sanitize/bin/pytest -m "not slow" $TESTS \
    --ignore tests/behaviour/test_examples.py \
    --ignore tests/behaviour/test_memory_reuse.py || { cat "$report".* 2>/dev/null; exit 1; }
