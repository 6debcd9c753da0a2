"""Writes csrc/scalar/row_centres.h: about which points the rows of scalar/curve_rows.h are series.

    python tools/make_row_centres.py csrc/scalar/row_centres.h

A centre is near the middle of its range, and such that the function there is nearly a number of the
type, so that a row needs no second word for it. Values are mpmath's (pip install mpmath).
"""

import pathlib
import sys

import mpmath
import numpy as np

mpmath.mp.prec = 120
ROOT_PI = mpmath.sqrt(mpmath.pi)
#: of an ulp: how far from a number of the type the value at a centre may be
NEARLY = 1 / 256

HEAD = """// The centres of the rows of curve_rows.h. tools/make_row_centres.py writes this file.
#pragma once

#include "rows.h"

#ifdef RL_HAS_TWINS
namespace rl::math {

"""


def missed(value, dtype):
    """How far a value is from the nearest number of the type, in ulps."""
    near = dtype(float(value)) if dtype is np.float64 else np.float32(float(value))
    return abs(float((value - mpmath.mpf(float(near))) / mpmath.mpf(float(np.spacing(near)))))


def centre(middle, reach, function, slope, dtype):
    """(at, value, slope) near `middle`, at most `reach` from it."""
    if middle == 0:
        exact = slope(mpmath.mpf(0))
        return 0.0, float(exact - float(exact)), float(exact)
    step = max(float(np.spacing(dtype(middle))), reach / 4000)
    best, least = None, 1
    for k in range(1, 2 * int(reach / step) + 2):
        at = float(dtype(middle + (k // 2) * step * (-1) ** k))
        value = function(mpmath.mpf(at))
        if missed(value, dtype) < least:
            best, least = (at, float(value)), missed(value, dtype)
        if least < NEARLY:
            break
    return *best, float(slope(mpmath.mpf(best[0])))


def erf_rows(dtype, last):
    """erf about 0 up to 1/2 and multiples of 1/16 up to 1, then erfc from 1/2 on."""
    density = lambda x: 2 / ROOT_PI * mpmath.exp(-x * x)
    for k in range(17):
        yield centre(k / 16 if k > 8 else 0, 1 / 1024, mpmath.erf, density, dtype)
    for k in range(8, last * 16 + 1):
        yield centre(k / 16, 1 / 1024, mpmath.erfc, lambda x: -density(x), dtype)


def erfinv_rows(dtype, octaves, parts, inner):
    """erfinv by the size of c = 1 - x: `parts` rows for each octave below 1, from the least on.

    The last `inner` of them are about 0.
    """
    slope = lambda x: ROOT_PI / 2 * mpmath.exp(mpmath.erfinv(x) ** 2)
    for octave in range(octaves, 0, -1):
        for part in range(parts):
            low = 2.0**-octave * (1 + part / parts)
            width = 2.0**-octave / parts
            middle = 0 if octave == 1 and part >= parts - inner else 1 - (low + width / 2)
            yield centre(middle, width / 16, mpmath.erfinv, slope, dtype)
    yield centre(0, 0, mpmath.erfinv, slope, dtype)  # 1 - x is rounded to 1


def tanh_rows(dtype):
    """tanh about 0 up to 5/16, and multiples of 1/8 up to where it is 1."""
    for k in range(154):
        slope = lambda x: mpmath.sech(x) ** 2
        reach = 1 / 512 if k < 100 else 1 / 24  # where the function is flat
        yield centre(k / 8 if k > 2 else 0, reach, mpmath.tanh, slope, dtype)


def number(x, dtype):
    """As C++ writes it."""
    text = float(x).hex() if dtype is np.float64 else float(np.float32(x)).hex()
    mantissa, power = text.split("p")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}p{power}" + ("f" if dtype is np.float32 else "")


def table(name, rows, dtype):
    """A constant array."""
    rows = list(rows)
    kind = "double" if dtype is np.float64 else "float"
    types = dtype, dtype, np.float64
    written = [", ".join(map(number, row, types)) for row in rows]
    lines = ",\n".join("    {" + row + "}" for row in written)
    return f"inline constexpr Centre<{kind}> {name}[{len(rows)}] = {{\n{lines}}};\n"


def main():
    parts = [
        table("kErfCentres", erf_rows(np.float64, 6), np.float64),
        table("kErfFloatCentres", erf_rows(np.float32, 7), np.float32),
        table("kErfinvCentres", erfinv_rows(np.float64, 12, 8, 3), np.float64),
        table("kErfinvFloatCentres", erfinv_rows(np.float32, 12, 4, 2), np.float32),
        table("kTanhCentres", tanh_rows(np.float64), np.float64),
    ]
    text = HEAD + "\n".join(parts) + "\n}  // namespace rl::math\n#endif\n"
    pathlib.Path(sys.argv[1]).write_text(text)


if __name__ == "__main__":
    main()
