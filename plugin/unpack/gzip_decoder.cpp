// gzip (RFC 1952) through ISA-L: members one after another, CRC-32 and length of each checked. Headers are read here:
// ISA-L 2.30 does not get through optional fields that arrive in pieces.
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "plugin/unpack/decoder.h"

namespace paceline::unpack {
namespace {

// RFC 1952, 2.3.1, "FLG".
constexpr unsigned kHeaderCrc = 1U << 1U;
constexpr unsigned kExtra = 1U << 2U;
constexpr unsigned kName = 1U << 3U;
constexpr unsigned kComment = 1U << 4U;

std::string_view inflate_error(int code) {
  switch (code) {
    case ISAL_INVALID_BLOCK:
      return "an invalid block";
    case ISAL_INVALID_SYMBOL:
      return "an invalid symbol";
    case ISAL_INVALID_LOOKBACK:
      return "a reference before the start";
    case ISAL_INCORRECT_CHECKSUM:
      return "a wrong checksum or length";
    default:
      return "an error";
  }
}

/// Reads a member's header byte by byte, over the borders of what the source returns.
class HeaderReader {
 public:
  explicit HeaderReader(SourceReader& reader) : reader_(reader) {}

  Status read() {
    std::array<unsigned, 10> fixed{};
    for (unsigned& byte : fixed) {
      if (auto status = next(byte); !status) return status;
    }
    if (fixed[0] != 0x1f || fixed[1] != 0x8b) return wrong("no gzip member starts");
    if (fixed[2] != 8) return wrong("an unknown compression method is used");
    const unsigned flags = fixed[3];
    if ((flags & kExtra) != 0) {
      if (auto status = skip_extra(); !status) return status;
    }
    for (const unsigned text : {kName, kComment}) {
      if ((flags & text) == 0) continue;
      if (auto status = skip_text(); !status) return status;
    }
    return (flags & kHeaderCrc) != 0 ? check_crc() : Status();
  }

 private:
  Status wrong(const char* what) {
    return fail(Code::kInvalidArgument, std::string("the gzip stream is wrong: ") + what + " before byte " +
                                            std::to_string(reader_.position()));
  }

  Status next(unsigned& byte) {
    auto input = reader_.peek();
    if (!input) return fail(input.error());
    if (input->empty()) return wrong("it is cut off within a header");
    byte = std::to_integer<unsigned>(input->front());
    const auto value = static_cast<std::uint8_t>(byte);
    crc_ = crc32_gzip_refl(crc_, &value, 1);
    reader_.consume(1);
    return {};
  }

  /// Two bytes, the low one first.
  Status next_short(unsigned& value) {
    unsigned high = 0;
    if (auto status = next(value); !status) return status;
    if (auto status = next(high); !status) return status;
    value |= high << 8U;
    return {};
  }

  Status skip_extra() {
    unsigned length = 0;
    auto status = next_short(length);
    for (unsigned byte = 0; status && length > 0; --length) status = next(byte);
    return status;
  }

  Status skip_text() {
    unsigned byte = 1;
    Status status;
    while (status && byte != 0) status = next(byte);
    return status;
  }

  Status check_crc() {
    const unsigned expected = crc_ & 0xffffU;
    unsigned stated = 0;
    if (auto status = next_short(stated); !status) return status;
    return stated == expected ? Status() : wrong("a header's checksum does not match");
  }

  SourceReader& reader_;
  std::uint32_t crc_ = 0;
};

class GzipDecoder final : public Decoder {
 public:
  explicit GzipDecoder(SourceReader reader) : reader_(std::move(reader)), state_(std::make_unique<inflate_state>()) {}

  Result<std::size_t> read(std::span<std::byte> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      if (!in_member_) {
        auto more = next_member();
        if (!more) return fail(more.error());
        if (!*more) break;
      }
      auto count = inflate(out.subspan(done));
      if (!count) return fail(count.error());
      done += *count;
      in_member_ = state_->block_state != ISAL_BLOCK_FINISH;
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
    if (auto status = HeaderReader(reader_).read(); !status) return fail(status.error());
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP_NO_HDR_VER;
    in_member_ = true;
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
  bool in_member_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_gzip_decoder(SourceReader reader) {
  return std::make_unique<GzipDecoder>(std::move(reader));
}

}  // namespace paceline::unpack
