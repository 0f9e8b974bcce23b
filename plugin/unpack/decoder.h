// A layer's bytes without their compression: gzip, zstd or none, told by the first bytes, since media types lie and
// containerd does not believe them either. One thread at a time; borrows the source for life.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "plugin/base/result.h"
#include "plugin/unpack/layer_source.h"

namespace paceline::unpack {

/// Reads a source forwards through a buffer.
class SourceReader {
 public:
  explicit SourceReader(LayerSource& source);
  /// What is buffered and not yet consumed; reads on when that is nothing. Empty: the source's end.
  Result<std::span<const std::byte>> peek();
  /// At least `count` bytes, if the source has as many; count ≤ 64.
  Result<std::span<const std::byte>> peek_at_least(std::size_t count);
  void consume(std::size_t count) { begin_ += count; }
  /// Bytes consumed so far. Any thread may not: the reader's only.
  [[nodiscard]] std::uint64_t position() const { return offset_ - (end_ - begin_); }

 private:
  Result<std::size_t> read_more();

  LayerSource& source_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;  ///< First byte not consumed.
  std::size_t end_ = 0;    ///< End of what was read.
  std::uint64_t offset_ = 0;
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  /// Fills `out` to its end; less, down to 0, only at the end of a stream whose checksums were right.
  virtual Result<std::size_t> read(std::span<std::byte> out) = 0;
  /// Compressed bytes used up so far.
  [[nodiscard]] virtual std::uint64_t consumed() const = 0;
};

/// By the first bytes; kUnimplemented for a media type that says the layer is encrypted.
Result<std::unique_ptr<Decoder>> open_decoder(LayerSource& source, std::string_view media_type);

/// One each; they take over a reader that stands at the first byte.
std::unique_ptr<Decoder> make_plain_decoder(SourceReader reader);
std::unique_ptr<Decoder> make_gzip_decoder(SourceReader reader);
std::unique_ptr<Decoder> make_zstd_decoder(SourceReader reader);

}  // namespace paceline::unpack
