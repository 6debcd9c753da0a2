// How this thread's processor rounds, and whether it takes subnormal numbers as zero.
#pragma once
#ifdef __SSE2__
#include <xmmintrin.h>
#endif

namespace rl {

#ifdef __SSE2__
inline unsigned float_mode() { return _mm_getcsr() & 0xffc0; }  // without what has happened so far
inline void set_float_mode(unsigned mode) {
  if (mode != float_mode()) _mm_setcsr(mode);
}
// Whether that can be done.
inline bool set_flush_denormal(bool flush) {
  constexpr unsigned kResults = 0x8000, kOperands = 0x40;
  const unsigned rest = float_mode() & ~(kResults | kOperands);
  set_float_mode(flush ? rest | kResults | kOperands : rest);
  return true;
}
#else
inline unsigned float_mode() { return 0; }
inline void set_float_mode(unsigned) {}
inline bool set_flush_denormal(bool flush) { return !flush; }
#endif

}  // namespace rl
