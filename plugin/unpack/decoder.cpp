#include "plugin/unpack/decoder.h"

#include <algorithm>
#include <cstring>

namespace paceline::unpack {
namespace {

/// Large enough that a read is no cost, small enough to stay in a core's cache with what it inflates to.
constexpr std::size_t kReadBytes = 128U << 10U;
constexpr std::size_t kMaxPeek = 64;

class PlainDecoder final : public Decoder {
 public:
  explicit PlainDecoder(SourceReader reader) : reader_(std::move(reader)) {}

  Result<std::size_t> read(std::span<std::byte> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      auto input = reader_.peek();
      if (!input) return fail(input.error());
      if (input->empty()) break;
      const std::size_t count = std::min(input->size(), out.size() - done);
      std::memcpy(out.data() + done, input->data(), count);
      reader_.consume(count);
      done += count;
    }
    return done;
  }
  [[nodiscard]] std::uint64_t consumed() const override { return reader_.position(); }

 private:
  SourceReader reader_;
};

bool starts_with(std::span<const std::byte> bytes, std::initializer_list<unsigned> magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin(), [](unsigned a, auto b) {
           return a == std::to_integer<unsigned>(b);
         });
}

bool is_gzip(std::span<const std::byte> bytes) { return starts_with(bytes, {0x1f, 0x8b, 0x08}); }

/// A zstd frame, or a skippable frame before it (RFC 8878, 3.1.2).
bool is_zstd(std::span<const std::byte> bytes) {
  if (starts_with(bytes, {0x28, 0xb5, 0x2f, 0xfd})) return true;
  return bytes.size() >= 8 && (std::to_integer<unsigned>(bytes[0]) & 0xf0U) == 0x50 &&
         starts_with(bytes.subspan(1), {0x2a, 0x4d, 0x18});
}

}  // namespace

SourceReader::SourceReader(LayerSource& source) : source_(source), buffer_(kReadBytes) {}

Result<std::size_t> SourceReader::read_more() {
  auto count = source_.read(offset_, std::span(buffer_).subspan(end_));
  if (!count) return fail(count.error());
  if (*count > buffer_.size() - end_) return fail(Code::kInternal, "the layer's source returned more than was asked");
  end_ += *count;
  offset_ += *count;
  return *count;
}

Result<std::span<const std::byte>> SourceReader::peek() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
    auto count = read_more();
    if (!count) return fail(count.error());
  }
  return std::span<const std::byte>(buffer_).subspan(begin_, end_ - begin_);
}

Result<std::span<const std::byte>> SourceReader::peek_at_least(std::size_t count) {
  count = std::min(count, kMaxPeek);
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), buffer_.begin() + static_cast<std::ptrdiff_t>(end_),
            buffer_.begin());
  end_ -= begin_;
  begin_ = 0;
  while (end_ < count) {
    auto more = read_more();
    if (!more) return fail(more.error());
    if (*more == 0) break;
  }
  return std::span<const std::byte>(buffer_).first(end_);
}

std::unique_ptr<Decoder> make_plain_decoder(SourceReader reader) {
  return std::make_unique<PlainDecoder>(std::move(reader));
}

Result<std::unique_ptr<Decoder>> open_decoder(LayerSource& source, std::string_view media_type) {
  if (media_type.ends_with("+encrypted")) {
    return fail(Code::kUnimplemented, "encrypted layers are left to containerd (" + std::string(media_type) + ")");
  }
  SourceReader reader(source);
  auto head = reader.peek_at_least(8);
  if (!head) return fail(head.error());
  if (is_gzip(*head)) return make_gzip_decoder(std::move(reader));
  if (is_zstd(*head)) return make_zstd_decoder(std::move(reader));
  return make_plain_decoder(std::move(reader));
}

}  // namespace paceline::unpack
