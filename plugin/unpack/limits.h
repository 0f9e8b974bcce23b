// What a layer may cost before it is taken for an attack. Values.
#pragma once

#include <cstdint>

namespace paceline::unpack {

struct Limits {
  /// Of the uncompressed tar, and of all files together with the holes of sparse ones.
  std::uint64_t bytes = 256ULL << 30U;
  std::uint64_t entries = 4'000'000;
  /// Uncompressed : compressed. deflate cannot exceed 1032; an image of real files stays below 20.
  std::uint64_t ratio = 250;
  /// The ratio counts beyond that many uncompressed bytes only: a small layer of zeros harms nobody.
  std::uint64_t ratio_counts_from = 1ULL << 30U;
};

}  // namespace paceline::unpack
