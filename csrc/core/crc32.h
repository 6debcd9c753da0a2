// The checksum of zip records, at the speed of memory: CRC-32 as zlib computes it.
#pragma once
#include <cstddef>
#include <cstdint>

namespace rl {

// The checksum of n bytes after those whose checksum is `crc` (0: none).
uint32_t crc32(uint32_t crc, const void* data, size_t n);

}  // namespace rl
