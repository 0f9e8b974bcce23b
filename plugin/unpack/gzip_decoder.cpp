// gzip (RFC 1952) through ISA-L: members one after another, header flags, CRC-32 and length of each checked.
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "plugin/unpack/decoder.h"

namespace paceline::unpack {
namespace {

std::string_view inflate_error(int code) {
  switch (code) {
    case ISAL_INVALID_BLOCK:
      return "an invalid block";
    case ISAL_INVALID_SYMBOL:
      return "an invalid symbol";
    case ISAL_INVALID_LOOKBACK:
      return "a reference before the start";
    case ISAL_INVALID_WRAPPER:
      return "an invalid member header";
    case ISAL_UNSUPPORTED_METHOD:
      return "an unknown compression method";
    case ISAL_INCORRECT_CHECKSUM:
      return "a wrong checksum or length";
    default:
      return "an error";
  }
}

class GzipDecoder final : public Decoder {
 public:
  explicit GzipDecoder(SourceReader reader) : reader_(std::move(reader)), state_(std::make_unique<inflate_state>()) {
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;
  }

  Result<std::size_t> read(std::span<std::byte> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      if (state_->block_state == ISAL_BLOCK_FINISH) {
        auto more = next_member();
        if (!more) return fail(more.error());
        if (!*more) break;
      }
      auto count = inflate(out.subspan(done));
      if (!count) return fail(count.error());
      done += *count;
    }
    return done;
  }
  [[nodiscard]] std::uint64_t consumed() const override { return reader_.position(); }

 private:
  /// Whether another member follows; anything else after a member is an error, as for containerd.
  Result<bool> next_member() {
    auto head = reader_.peek();
    if (!head) return fail(head.error());
    if (head->empty()) return false;
    isal_inflate_reset(state_.get());
    state_->crc_flag = ISAL_GZIP;
    return true;
  }

  Result<std::size_t> inflate(std::span<std::byte> out) {
    auto input = reader_.peek();
    if (!input) return fail(input.error());
    // ISA-L does not write through next_in; its field is not const because C has no need of it.
    state_->next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(input->data()));
    state_->avail_in = static_cast<std::uint32_t>(input->size());
    state_->next_out = reinterpret_cast<std::uint8_t*>(out.data());
    const auto room = static_cast<std::uint32_t>(std::min<std::size_t>(out.size(), 1U << 30U));
    state_->avail_out = room;
    const int code = isal_inflate(state_.get());
    reader_.consume(input->size() - state_->avail_in);
    if (code < 0 || code == ISAL_NEED_DICT) {
      return fail(Code::kInvalidArgument, "the gzip stream has " + std::string(inflate_error(code)) + " near byte " +
                                              std::to_string(reader_.position()));
    }
    const std::size_t count = room - state_->avail_out;
    if (input->empty() && count == 0 && state_->block_state != ISAL_BLOCK_FINISH) {
      return fail(Code::kInvalidArgument, "the gzip stream is cut off at byte " + std::to_string(reader_.position()));
    }
    return count;
  }

  SourceReader reader_;
  std::unique_ptr<inflate_state> state_;  // 80 KB of tables.
};

}  // namespace

std::unique_ptr<Decoder> make_gzip_decoder(SourceReader reader) {
  return std::make_unique<GzipDecoder>(std::move(reader));
}

}  // namespace paceline::unpack
