// gzip's and zstd's framing: members, frames, headers, trailers. It ends, and cut pieces give what whole ones give.
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugin/unpack/decoder.h"
#include "tests/fuzz/input.h"

namespace paceline::fuzz {
namespace {

constexpr std::size_t kEnough = 1U << 20U;  // A bomb is the stream's to stop, one layer above.

/// The text, and whether it ended well; nothing when it is too long to be told.
std::optional<std::pair<std::string, bool>> decode(std::span<const std::byte> blob, std::size_t step) {
  Blob source(blob, step);
  auto decoder = unpack::open_decoder(source, "");
  if (!decoder) return std::pair(std::string(), false);
  std::string text;
  std::vector<std::byte> buffer(10'000);
  while (text.size() < kEnough) {
    const auto count = (*decoder)->read(buffer);
    if (!count) return std::pair(std::string(), false);
    if (*count > buffer.size() || (*decoder)->consumed() > blob.size()) std::abort();
    if (*count == 0) return std::pair(std::move(text), true);
    text.append(reinterpret_cast<const char*>(buffer.data()), *count);
  }
  return std::nullopt;
}

}  // namespace
}  // namespace paceline::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const paceline::fuzz::Input input(std::as_bytes(std::span(data, size)));
  const auto whole = paceline::fuzz::decode(input.blob, SIZE_MAX);
  const auto cut = paceline::fuzz::decode(input.blob, 1U + input.choice);
  if (whole != cut) std::abort();
  return 0;
}
