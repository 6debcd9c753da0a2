// RL_MULTIVERSION compiles one function for several instruction sets; the loader picks.
// For leaf loops in files that are compiled once. Files of pointwise kernels are compiled
// once per level instead and do not use this. A multiversioned function may only call
// functions that are inlined into it.
#pragma once

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define RL_MULTIVERSION \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RL_MULTIVERSION
#endif
