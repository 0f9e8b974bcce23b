// Mutations of an archive whose headers keep a right checksum: without it nearly every one would stop at the first
// header. One in eight stays as the mutation left it.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <span>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kMagicAt = 257;
constexpr std::size_t kSumAt = 148;
constexpr std::size_t kSumSize = 8;

void fix(std::span<std::uint8_t> block) {
  std::memset(block.data() + kSumAt, ' ', kSumSize);
  const unsigned sum = std::accumulate(block.begin(), block.end(), 0U);
  std::snprintf(reinterpret_cast<char*>(block.data() + kSumAt), kSumSize, "%06o", sum);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  const std::size_t mutated = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 == 0) return mutated;
  for (std::size_t at = 0; at + kBlock <= mutated; at += kBlock) {
    if (std::memcmp(data + at + kMagicAt, "ustar", 5) == 0) fix({data + at, kBlock});
  }
  return mutated;
}
