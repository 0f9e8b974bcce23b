// The fuzzer's bytes as the engine's sources, handed out in small steps, so that every boundary is somewhere a border.
// One thread; borrows the bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "plugin/unpack/layer_source.h"
#include "plugin/unpack/tar_reader.h"

namespace paceline::fuzz {

class Blob final : public unpack::LayerSource {
 public:
  Blob(std::span<const std::byte> bytes, std::size_t step) : bytes_(bytes), step_(std::max<std::size_t>(step, 1)) {}
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) override {
    const auto rest = bytes_.subspan(std::min<std::size_t>(offset, bytes_.size()));
    const std::size_t count = std::min({rest.size(), step_, buffer.size()});
    if (count > 0) std::memcpy(buffer.data(), rest.data(), count);
    return count;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t step_;
};

class Pieces final : public unpack::PieceSource {
 public:
  Pieces(std::span<const std::byte> bytes, std::size_t step) : rest_(bytes), step_(std::max<std::size_t>(step, 1)) {}
  Result<std::span<const std::byte>> next() override {
    const auto piece = rest_.first(std::min(step_, rest_.size()));
    rest_ = rest_.subspan(piece.size());
    return piece;
  }

 private:
  std::span<const std::byte> rest_;
  std::size_t step_;
};

/// What the fuzzer chooses beside the blob: its last byte, so that the blob itself stays aligned in a corpus.
struct Input {
  explicit Input(std::span<const std::byte> all) {
    if (all.empty()) return;
    choice = static_cast<std::uint8_t>(all.back());
    blob = all.first(all.size() - 1);
  }
  std::span<const std::byte> blob;
  std::uint8_t choice = 0;
};

}  // namespace paceline::fuzz
