#include "plugin/mirror/body_pipe.h"

#include <gtest/gtest.h>

#include <thread>

namespace paceline::mirror {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(BodyPipe, PausesAtHighWaterAndResumesAtHalf) {
  int resumed = 0;
  BodyPipe pipe([&] { ++resumed; }, 8);
  EXPECT_EQ(pipe.push(bytes("abcd")), net::Flow::kContinue);
  EXPECT_EQ(pipe.push(bytes("efgh")), net::Flow::kPause);
  EXPECT_EQ(*pipe.next(), "abcd");
  EXPECT_EQ(resumed, 1);
  EXPECT_EQ(*pipe.next(), "efgh");
  EXPECT_EQ(resumed, 1);
  pipe.finish({});
  EXPECT_EQ(*pipe.next(), "");
}

TEST(BodyPipe, GivesWhatCameBeforeTheError) {
  BodyPipe pipe([] {});
  pipe.head({200, {}});
  pipe.push(bytes("abc"));
  pipe.finish(fail(Code::kUnavailable, "reset"));
  EXPECT_EQ(pipe.wait_for_head()->status, 200);
  EXPECT_EQ(*pipe.next(), "abc");
  EXPECT_EQ(pipe.next().error().message, "reset");
}

TEST(BodyPipe, EndWithoutHeadIsAnError) {
  BodyPipe failed([] {});
  failed.finish(fail(Code::kUnavailable, "refused"));
  EXPECT_EQ(failed.wait_for_head().error().message, "refused");
  BodyPipe empty([] {});
  empty.finish({});
  EXPECT_EQ(empty.wait_for_head().error().code, Code::kUnavailable);
}

TEST(BodyPipe, ClosedReaderStopsTheWriter) {
  BodyPipe pipe([] {}, 4);
  EXPECT_EQ(pipe.push(bytes("abcd")), net::Flow::kPause);
  pipe.close();
  EXPECT_EQ(pipe.push(bytes("e")), net::Flow::kAbort);
  EXPECT_EQ(pipe.head({200, {}}), net::Flow::kAbort);
}

TEST(BodyPipe, CarriesManyBytesBetweenThreadsInBoundedMemory) {
  constexpr int kPieces = 20'000;
  std::mutex mutex;
  std::condition_variable go;
  bool may_go = true;
  BodyPipe pipe(
      [&] {
        const std::lock_guard lock(mutex);
        may_go = true;
        go.notify_all();
      },
      64);
  std::thread writer([&] {
    for (int i = 0; i < kPieces; ++i) {
      {
        std::unique_lock lock(mutex);
        go.wait(lock, [&] { return may_go; });
        may_go = false;
      }
      if (pipe.push(bytes("0123456789")) != net::Flow::kPause) {
        const std::lock_guard lock(mutex);
        may_go = true;
      }
    }
    pipe.finish({});
  });
  std::size_t total = 0;
  for (auto piece = pipe.next(); piece && !piece->empty(); piece = pipe.next()) total += piece->size();
  writer.join();
  EXPECT_EQ(total, kPieces * 10U);
}

}  // namespace
}  // namespace paceline::mirror
