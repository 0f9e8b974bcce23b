#include "plugin/unpack/decoder.h"

#include <gtest/gtest.h>
#include <isa-l/crc.h>

#include <random>

#include "plugin/unpack/layer_stream.h"
#include "tests/support/tar_writer.h"
#include "tests/unit/unpack/unpacked.h"

namespace paceline::unpack {
namespace {

using test::gzip;
using test::MemorySource;
using test::zstd;

/// Text that compresses, but not to nothing.
std::string sample(std::size_t size) {
  std::mt19937 random(7);
  std::string text;
  while (text.size() < size) text += std::to_string(random() % 1000) + " words ";
  text.resize(size);
  return text;
}

struct Decoded {
  std::string text;
  std::string error;
};

Decoded decode(const std::string& blob, std::size_t step = SIZE_MAX, std::size_t room = 10000) {
  MemorySource source(blob, step);
  auto decoder = open_decoder(source, "application/vnd.oci.image.layer.v1.tar+gzip");
  Decoded decoded;
  if (!decoder) return {{}, decoder.error().message};
  std::string buffer(room, '\0');
  for (;;) {
    auto count = (*decoder)->read(std::as_writable_bytes(std::span(buffer)));
    if (!count) {
      decoded.error = count.error().message;
      return decoded;
    }
    decoded.text.append(buffer, 0, *count);
    if (*count == 0) break;
  }
  EXPECT_EQ((*decoder)->consumed(), blob.size());
  return decoded;
}

TEST(Decoder, TellsCompressionByItsFirstBytes) {
  const std::string text = sample(300'000);
  for (const std::string& blob : {text, gzip(text), zstd(text)}) {
    for (const std::size_t step : {1UL, 17UL, 4096UL, SIZE_MAX}) {
      if (step == 1 && blob == text) continue;
      const Decoded decoded = decode(blob, step);
      EXPECT_EQ(decoded.error, "");
      EXPECT_TRUE(decoded.text == text) << step;
    }
  }
  EXPECT_EQ(decode("").text, "");
  EXPECT_EQ(decode("ab").text, "ab");
}

TEST(Decoder, ReadsMembersAndFramesOneAfterAnother) {
  const std::string a = sample(70'000);
  const std::string b = sample(100);
  const std::string both = a + b;
  const std::string three_members = gzip(a).append(gzip("")).append(gzip(b));
  const std::string skippable("\x53\x2a\x4d\x18\x03\x00\x00\x00xyz", 11);
  const std::string two_frames = std::string(skippable).append(zstd(a)).append(skippable).append(zstd(b));
  for (const std::size_t step : {1UL, 1000UL, SIZE_MAX}) {
    const Decoded members = decode(three_members, step);
    EXPECT_EQ(members.error, "");
    EXPECT_TRUE(members.text == both);
    const Decoded frames = decode(two_frames, step);
    EXPECT_EQ(frames.error, "");
    EXPECT_TRUE(frames.text == both);
  }
}

TEST(Decoder, ReadsAllFieldsOfAGzipHeader) {
  const std::string blob = gzip("content");
  std::string header = blob.substr(0, 10);
  header[3] = 0x1e;  // FHCRC, FEXTRA, FNAME, FCOMMENT.
  header += std::string(
                "\x04\x00"
                "abcd",
                6) +
            std::string("name\0", 5) + std::string("comment\0", 8);
  const std::uint32_t crc = crc32_gzip_refl(0, reinterpret_cast<const std::uint8_t*>(header.data()), header.size());
  const std::string sum{static_cast<char>(crc & 0xffU), static_cast<char>(crc >> 8U & 0xffU)};
  const std::string two = std::string(header).append(sum).append(blob.substr(10)).append(blob);
  for (const std::size_t step : {1UL, 7UL, SIZE_MAX}) {
    const Decoded decoded = decode(two, step);
    EXPECT_EQ(decoded.error, "");
    EXPECT_EQ(decoded.text, "contentcontent");
  }
  const std::string wrong{sum[0], static_cast<char>(sum[1] ^ 1)};
  EXPECT_NE(decode(header + wrong + blob.substr(10)).error, "");
  for (std::size_t size = 3; size < header.size() + 2; ++size) {
    EXPECT_NE(decode((header + sum).substr(0, size)).error, "") << size;
  }
}

TEST(Decoder, ChecksTheTrailerOfEveryMember) {
  const std::string text = sample(5000);
  const std::string good = gzip(text);
  for (std::size_t back = 1; back <= 8; ++back) {
    std::string wrong = good;
    wrong[wrong.size() - back] = static_cast<char>(wrong[wrong.size() - back] ^ 0x10);
    EXPECT_NE(decode(wrong).error, "") << back;
    EXPECT_NE(decode(wrong + good).error, "") << back;
  }
}

TEST(Decoder, RefusesWhatFollowsAMember) {
  EXPECT_NE(decode(gzip("x") + "garbage!garbage!").error, "");
  EXPECT_NE(decode(gzip("x") + std::string(512, '\0')).error, "");
  EXPECT_NE(decode(zstd("x") + "garbage!garbage!").error, "");
}

TEST(Decoder, RefusesStreamsCutAnywhere) {
  const std::string text = sample(3000);
  for (const std::string& blob : {gzip(text), zstd(text)}) {
    for (std::size_t size = 11; size < blob.size(); ++size) {
      EXPECT_NE(decode(blob.substr(0, size)).error, "") << size;
    }
  }
}

TEST(Decoder, LeavesEncryptedLayersAlone) {
  MemorySource source("x");
  auto decoder = open_decoder(source, "application/vnd.oci.image.layer.v1.tar+gzip+encrypted");
  ASSERT_FALSE(decoder);
  EXPECT_EQ(decoder.error().code, Code::kUnimplemented);
}

class LayerStreamTest : public testing::TestWithParam<bool> {
 protected:
  /// All of the stream, with or without a helper.
  Decoded read(const std::string& blob, const Limits& limits, Digest* digest = nullptr) {
    MemorySource source(blob, 5000);
    WorkerSlots slots(GetParam() ? 2 : 1);
    slots.enter(0);
    LayerStream stream(std::move(open_decoder(source, "").value()), limits, 1U << 20U, Turn(&slots, nullptr));
    Decoded decoded;
    for (;;) {
      auto bytes = stream.next();
      if (!bytes) return {decoded.text, bytes.error().message};
      if (bytes->empty()) break;
      decoded.text.append(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    }
    auto hash = stream.finish();
    if (digest != nullptr && hash) *digest = *hash;
    EXPECT_EQ(stream.bytes(), decoded.text.size());
    return decoded;
  }
};

TEST_P(LayerStreamTest, HashesAllItHandsOut) {
  for (const std::size_t size : {0UL, 1UL, 262'144UL, 262'145UL, 9'000'000UL}) {
    const std::string text = sample(size);
    Digest digest;
    const Decoded decoded = read(size == 0 ? "" : gzip(text), {}, &digest);
    EXPECT_EQ(decoded.error, "");
    EXPECT_TRUE(decoded.text == text);
    EXPECT_EQ(digest, sha256(text));
  }
}

TEST_P(LayerStreamTest, HashesWhatNobodyTook) {
  const std::string text = sample(3'000'000);
  MemorySource source(text);
  WorkerSlots slots(GetParam() ? 2 : 1);
  slots.enter(0);
  LayerStream stream(std::move(open_decoder(source, "").value()), {}, 1U << 20U, Turn(&slots, nullptr));
  ASSERT_TRUE(stream.next());
  EXPECT_EQ(stream.finish().value(), sha256(text));
  EXPECT_EQ(stream.bytes(), text.size());
}

TEST_P(LayerStreamTest, CanBeGivenUpAnywhere) {
  const std::string blob = gzip(sample(5'000'000));
  for (int pieces = 0; pieces < 6; ++pieces) {
    MemorySource source(blob);
    WorkerSlots slots(GetParam() ? 2 : 1);
    slots.enter(0);
    LayerStream stream(std::move(open_decoder(source, "").value()), {}, 1U << 20U, Turn(&slots, nullptr));
    for (int i = 0; i < pieces; ++i) ASSERT_TRUE(stream.next());
  }
}

TEST_P(LayerStreamTest, FailsForGood) {
  const std::string text = sample(2'000'000);
  const std::string blob = gzip(text);
  MemorySource source(blob.substr(0, blob.size() / 2));
  WorkerSlots slots(GetParam() ? 2 : 1);
  slots.enter(0);
  LayerStream stream(std::move(open_decoder(source, "").value()), {}, 1U << 20U, Turn(&slots, nullptr));
  while (stream.next()) {
  }
  EXPECT_FALSE(stream.next());
  EXPECT_FALSE(stream.finish());
}

TEST_P(LayerStreamTest, StopsAtTheLimits) {
  const std::string zeros = gzip(std::string(8U << 20U, '\0'));
  Limits bytes;
  bytes.bytes = 1U << 20U;
  EXPECT_NE(read(zeros, bytes).error.find("larger than"), std::string::npos);
  Limits ratio;
  ratio.ratio = 50;
  ratio.ratio_counts_from = 1U << 20U;
  EXPECT_NE(read(zeros, ratio).error.find("times its compressed size"), std::string::npos);
  ratio.ratio_counts_from = 64U << 20U;
  EXPECT_EQ(read(zeros, ratio).error, "");
}

INSTANTIATE_TEST_SUITE_P(Threads, LayerStreamTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "WithHelper" : "Alone"; });

}  // namespace
}  // namespace paceline::unpack
