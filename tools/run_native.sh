#!/bin/sh
# Builds and runs the native tests, tests/native/scalar_*.cpp, for each level the machine can run.
# They need libquadmath, which comes with GCC. LEVELS chooses other -march values.
set -eu
cd "$(dirname "$0")/.."
: "${CXX:=g++}" "${LEVELS:=x86-64-v2 native}"
math="-fno-math-errno -fno-trapping-math -ffp-contract=off"  # as in CMakeLists.txt
out=build/native
mkdir -p "$out"
for level in $LEVELS; do
    for source in tests/native/scalar_*.cpp; do
        program=$out/$(basename "$source" .cpp)-$level
        "$CXX" -std=gnu++20 -O2 $math -march="$level" -Icsrc \
            "$source" -o "$program" -lquadmath
        if ! "$program" >"$program.log"; then
            cat "$program.log"
            exit 1
        fi
        echo "$(basename "$source"), $level: $(tail -n 1 "$program.log")"
    done
done
