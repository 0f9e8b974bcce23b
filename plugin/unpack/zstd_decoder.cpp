// zstd (RFC 8878) through libzstd: frames and skippable frames one after another; a window beyond libzstd's own
// default (128 MiB) is refused, which bounds the memory of a layer.
#include <zstd.h>

#include <memory>

#include "plugin/unpack/decoder.h"

namespace paceline::unpack {
namespace {

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

class ZstdDecoder final : public Decoder {
 public:
  explicit ZstdDecoder(SourceReader reader) : reader_(std::move(reader)), context_(ZSTD_createDCtx()) {}

  Result<std::size_t> read(std::span<std::byte> out) override {
    if (!context_) return fail(Code::kResourceExhausted, "no memory for a zstd decoder");
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    while (output.pos < output.size) {
      auto bytes = reader_.peek();
      if (!bytes) return fail(bytes.error());
      if (bytes->empty() && frame_ended_) break;
      ZSTD_inBuffer input{bytes->data(), bytes->size(), 0};
      const std::size_t before = output.pos;
      const std::size_t rest = ZSTD_decompressStream(context_.get(), &output, &input);
      reader_.consume(input.pos);
      if (ZSTD_isError(rest) != 0) {
        return fail(Code::kInvalidArgument, "the zstd stream is wrong near byte " + std::to_string(reader_.position()) +
                                                ": " + ZSTD_getErrorName(rest));
      }
      frame_ended_ = rest == 0;
      if (bytes->empty() && output.pos == before && !frame_ended_) {
        return fail(Code::kInvalidArgument, "the zstd stream is cut off at byte " + std::to_string(reader_.position()));
      }
    }
    return output.pos;
  }
  [[nodiscard]] std::uint64_t consumed() const override { return reader_.position(); }

 private:
  SourceReader reader_;
  std::unique_ptr<ZSTD_DCtx, FreeContext> context_;
  bool frame_ended_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_zstd_decoder(SourceReader reader) {
  return std::make_unique<ZstdDecoder>(std::move(reader));
}

}  // namespace paceline::unpack
