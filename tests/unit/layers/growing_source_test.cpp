#include "plugin/layers/growing_source.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/unit/layers/layers_test.h"

namespace paceline::layers {
namespace {

class GrowingSourceTest : public LayersTest {
 protected:
  std::unique_ptr<GrowingSource> open(const Digest& digest, std::stop_token stop = {}) {
    auto source = GrowingSource::open(*store_, flights_, digest, std::move(stop));
    EXPECT_TRUE(source) << source.error().message;
    return std::move(*source);
  }

  static Result<std::string> read(GrowingSource& source, std::uint64_t offset) {
    std::string bytes(100, '\0');
    const auto count = source.read(offset, std::as_writable_bytes(std::span(bytes)));
    if (!count) return fail(count.error());
    return bytes.substr(0, *count);
  }
};

TEST_F(GrowingSourceTest, ReadsWhatIsInTheStore) {
  const auto source = open(keep("a blob"));
  EXPECT_EQ(read(*source, 0).value(), "a blob");
  EXPECT_EQ(read(*source, 6).value(), "");
  EXPECT_TRUE(source->wait_landed());
}

TEST_F(GrowingSourceTest, NothingIsNotFound) {
  const auto source = GrowingSource::open(*store_, flights_, sha256("nothing"), {});
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, Code::kNotFound);
}

TEST_F(GrowingSourceTest, ReadsNoFurtherThanThePrefix) {
  Arrival arrival(*store_, flights_, "0123456789");
  arrival.bring(4);
  const auto source = open(arrival.digest());
  EXPECT_EQ(read(*source, 0).value(), "0123");
  EXPECT_EQ(read(*source, 3).value(), "3");
  arrival.bring(2);
  EXPECT_EQ(read(*source, 4).value(), "45");
}

TEST_F(GrowingSourceTest, WaitsForBytesAndGoesOnOverTheLanding) {
  Arrival arrival(*store_, flights_, "0123456789");
  const auto source = open(arrival.digest());
  auto first = std::async(std::launch::async, [&] { return read(*source, 0); });
  arrival.bring(4);
  EXPECT_EQ(first.get().value(), "0123");
  auto second = std::async(std::launch::async, [&] { return read(*source, 4); });
  arrival.land();
  EXPECT_EQ(second.get().value(), "456789");
  EXPECT_TRUE(source->wait_landed());
  EXPECT_EQ(read(*source, 10).value(), "");
}

TEST_F(GrowingSourceTest, ItsEndIsTheLandingAlone) {
  Arrival arrival(*store_, flights_, "0123456789");
  arrival.bring(10);
  const auto source = open(arrival.digest());
  auto end = std::async(std::launch::async, [&] { return read(*source, 10); });
  arrival.land();
  EXPECT_EQ(end.get().value(), "");
}

TEST_F(GrowingSourceTest, AFailedDownloadIsItsError) {
  Arrival arrival(*store_, flights_, "0123456789");
  arrival.bring(4);
  const auto source = open(arrival.digest());
  auto waiting = std::async(std::launch::async, [&] { return read(*source, 4); });
  arrival.fail_with({Code::kUnavailable, "the registry went away"});
  EXPECT_EQ(waiting.get().error().code, Code::kUnavailable);
  EXPECT_EQ(read(*source, 0).error().code, Code::kUnavailable);
  EXPECT_EQ(source->wait_landed().error().code, Code::kUnavailable);
}

TEST_F(GrowingSourceTest, ADownloadThatBeginsAnewEndsIt) {
  Arrival arrival(*store_, flights_, "0123456789");
  arrival.bring(4);
  const auto source = open(arrival.digest());
  flights_.advance(arrival.digest(), 0);
  arrival.bring(1);
  EXPECT_EQ(read(*source, 0).error().code, Code::kAborted);
  arrival.land();
  EXPECT_EQ(source->wait_landed().error().code, Code::kAborted);
}

TEST_F(GrowingSourceTest, IsGivenUp) {
  Arrival arrival(*store_, flights_, "0123456789");
  std::stop_source stop;
  const auto source = open(arrival.digest(), stop.get_token());
  auto waiting = std::async(std::launch::async, [&] { return read(*source, 0); });
  stop.request_stop();
  EXPECT_EQ(waiting.get().error().code, Code::kCancelled);
  EXPECT_EQ(source->wait_landed().error().code, Code::kCancelled);
}

}  // namespace
}  // namespace paceline::layers
