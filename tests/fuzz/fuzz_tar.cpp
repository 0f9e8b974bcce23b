// The archive's reader: whatever the bytes, it ends, stays within them and keeps what its header promises.
#include <cstdlib>

#include "tests/fuzz/input.h"

namespace paceline::fuzz {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_extents(const unpack::TarEntry& entry) {
  std::int64_t end = 0;
  for (const auto& extent : entry.extents) {
    require(extent.length >= 0 && extent.offset >= end && extent.offset <= entry.header.size - extent.length);
    end = extent.offset + extent.length;
  }
}

void read_all(const Input& input) {
  Pieces pieces(input.blob, input.choice < 128 ? input.blob.size() : 1 + 7U * (input.choice - 128U));
  unpack::TarReader reader(pieces);
  unpack::TarEntry entry;
  std::size_t stored = 0;
  for (;;) {
    const auto more = reader.next(entry);
    if (!more || !*more) return;
    // Of an entry without data the size means nothing, to Go neither.
    require(entry.header.size >= 0 || unpack::is_header_only(entry.header.type));
    check_extents(entry);
    if ((input.choice & 1U) != 0) continue;  // Whoever does not read the data gets past it, too.
    for (;;) {
      const auto data = reader.data(1000);
      if (!data) return;
      require(data->size() <= 1000);
      if (data->empty()) break;
      stored += data->size();
      require(stored <= input.blob.size());
    }
  }
}

}  // namespace
}  // namespace paceline::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  paceline::fuzz::read_all(paceline::fuzz::Input(std::as_bytes(std::span(data, size))));
  return 0;
}
