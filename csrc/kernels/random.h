// Random fills of contiguous buffers, number for number those of PyTorch's CPU generator.
// The engine is in core/generator.h; shapes, broadcasting and Python defaults are the caller's.
// To add a distribution: declare it here, draw through RandomBlock (kernels/random_draw.h) in one
// of the random_*.cpp files, and record values for it in tests/data/random_values.json.
//
// Each function locks the generator, writes `n` elements of `dtype` to `out` and throws rl::Error
// on bad arguments. Where an argument is invalid nothing is drawn.
//
// Order for targets that are not contiguous. PyTorch fills in memory order, not in logical order:
// it sorts dimensions by stride, so that `x.t().uniform_()` writes to memory what `x.uniform_()`
// would. Fill a contiguous temporary and read it with dimensions taken from largest to smallest
// stride (equal strides and size-1 dimensions keep their order). `normal` must be told, too, since
// PyTorch then draws one pair at a time.
//
// Sums of products are written as std::fma throughout: PyTorch's build contracts them, and results
// must not depend on the instruction set that a loop is compiled for.
#pragma once
#include <cstdint>
#include <optional>

#include "core/dtype.h"
#include "core/generator.h"

namespace rl::random {

// [from, to) for float16, bfloat16, float32, float64 and complex (real and imaginary parts).
// 32 bits a draw for all but float64, of which 24 are used; the 16-bit floats round the float32
// value, and what rounds up to `to` becomes `from`.
void uniform(Generator& g, DType dtype, void* out, int64_t n, double from, double to);

// Box-Muller. With n >= 16 and `contiguous`, sixteen at a time from single-precision uniforms
// (double for float64), and the last sixteen are drawn anew if 16 does not divide n. The float32
// logarithm, sine and cosine are the Cephes polynomials that PyTorch uses on machines with AVX2
// or more, bit for bit; on others it calls libm there and differs in the last bits. Otherwise one
// pair at a time in double precision, whose second half waits in the generator. A complex element
// is two reals of standard deviation std/sqrt(2).
void normal(Generator& g, DType dtype, void* out, int64_t n, double mean, double std,
            bool contiguous = true);

// Integers of [from, to), or from `from` up to the largest the dtype counts to without `to`
// (2^11, 2^8, 2^24, 2^53 for floats). Ranges below 2^28 take one 32-bit draw each, others 64 bits.
void integers(Generator& g, DType dtype, void* out, int64_t n, int64_t from,
              std::optional<int64_t> to);

// random_() without arguments: [0, max] for integers, [0, 2^digits] for floats.
void integers(Generator& g, DType dtype, void* out, int64_t n);

// A permutation of 0..n-1 in any real dtype that counts to n-1 (not bool).
void permutation(Generator& g, DType dtype, void* out, int64_t n);

// 1 with probability p, else 0, in any real dtype; 64 bits a draw. PyTorch calls a vendor library
// here on Intel processors only; these are the numbers it gives elsewhere.
void bernoulli(Generator& g, DType dtype, void* out, int64_t n, double p);
// A probability for each element; 64 bits a draw if `p` is float64, else 32.
void bernoulli(Generator& g, DType dtype, void* out, int64_t n, DType p_dtype, const void* p);

// Floating dtypes, computed in double precision from 64-bit draws.
void exponential(Generator& g, DType dtype, void* out, int64_t n, double lambda);
void cauchy(Generator& g, DType dtype, void* out, int64_t n, double median, double sigma);
void log_normal(Generator& g, DType dtype, void* out, int64_t n, double mean, double std);
// Also integer dtypes, not bool.
void geometric(Generator& g, DType dtype, void* out, int64_t n, double p);

// One sample for each parameter; parameters and results share the floating dtype.
void poisson(Generator& g, DType dtype, void* out, int64_t n, const void* rate);
void binomial(Generator& g, DType dtype, void* out, int64_t n, const void* count, const void* prob);
void standard_gamma(Generator& g, DType dtype, void* out, int64_t n, const void* alpha);
// `rows` distributions over `n` components each.
void dirichlet(Generator& g, DType dtype, void* out, int64_t rows, int64_t n, const void* alpha);

// `samples` category numbers for each of `rows` rows of unnormalised probabilities: with
// replacement, or by a race: exponential numbers for each, of which those come first that are
// smallest next to their probability; equal quotients keep the lower index first.
void multinomial(Generator& g, DType dtype, const void* probs, const void* race, int64_t rows,
                 int64_t categories, int64_t* out, int64_t samples);
// Throws unless each row has finite numbers of at least 0 and one above.
void check_weights(DType dtype, const void* probs, int64_t rows, int64_t categories);

}  // namespace rl::random
