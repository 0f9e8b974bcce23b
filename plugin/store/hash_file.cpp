#include "plugin/store/hash_file.h"

#include <algorithm>
#include <vector>

#include "plugin/base/files.h"

namespace paceline::store {
namespace {

// Stays in the second-level cache between the copy and the hash; memory is bounded by the number of threads.
constexpr std::size_t kBuffer = 256U << 10U;

}  // namespace

Status hash_file(int fd, std::uint64_t first, std::uint64_t end, Sha256& hash,
                 const std::function<void(std::uint64_t)>& step) {
  thread_local std::vector<std::byte> buffer(kBuffer);
  while (first < end) {
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kBuffer, end - first));
    const auto count = read_at(fd, std::span(buffer).first(wanted), first);
    if (!count) return fail(count.error());
    if (*count < wanted) {
      return fail(Code::kDataLoss,
                  "the file ends at byte " + std::to_string(first + *count) + " instead of " + std::to_string(end));
    }
    hash.update(std::span<const std::byte>(buffer).first(wanted));
    first += wanted;
    if (step) step(first);
  }
  return {};
}

}  // namespace paceline::store
