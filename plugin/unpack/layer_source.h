// Where a layer's compressed bytes come from: a blob that may still be growing. The engine reads it from one thread
// at a time, forwards, each byte once; giving up an unpack is an error returned from read().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "plugin/base/fd.h"
#include "plugin/base/result.h"

namespace paceline::unpack {

class LayerSource {
 public:
  virtual ~LayerSource() = default;
  /// Reads what is there at `offset`, one byte at least: blocks until the blob has grown that far. 0 is the blob's
  /// end; an error (the fetch failed, the caller gave up) ends the unpack and is its error.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) = 0;
  /// false: read() there would wait for bytes.
  [[nodiscard]] virtual bool is_ready(std::uint64_t /*offset*/) const { return true; }
};

/// A file that is whole.
class FileSource final : public LayerSource {
 public:
  explicit FileSource(UniqueFd file) : file_(std::move(file)) {}
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) override;

 private:
  UniqueFd file_;
};

}  // namespace paceline::unpack
