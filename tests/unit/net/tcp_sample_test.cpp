#include <gtest/gtest.h>

#include <string>

#include "plugin/net/url.h"
#include "tests/support/fake_server.h"
#include "tests/unit/net/recorder.h"

namespace paceline::net {
namespace {

using test::FakeConnection;
using test::FakeRequest;
using test::FakeServer;

TEST(TcpSample, CountsMoveDuringATransferAndNeverFall) {
  const std::string body(8U << 20U, 'x');
  FakeServer server([&](const FakeRequest& request, FakeConnection& connection) { connection.serve(request, body); });
  NetworkThread thread(NetworkOptions{});
  const std::string key = host_key(server.url()).value();
  EXPECT_EQ(on_thread(thread, [&] { return thread.sample(key); }).sockets, 0U);

  TcpSample early;
  TcpSample late;
  std::size_t received = 0;
  HttpRequest request = get(server.url());
  const Recording recording = run(thread, request,
                                  {.on_head =
                                       [&](const ResponseHead&) {
                                         early = thread.sample(key);
                                         return Flow::kContinue;
                                       },
                                   .on_body =
                                       [&](std::span<const std::byte> data) {
                                         received += data.size();
                                         if (received == body.size()) late = thread.sample(key);
                                         return Flow::kContinue;
                                       },
                                   .keep_body = false});
  ASSERT_TRUE(recording.end.status);
  EXPECT_EQ(early.sockets, 1U);
  EXPECT_GT(early.rtt_min_connect, Duration::zero());
  EXPECT_GT(early.segments_in, 0U);
  EXPECT_GT(late.segments_in, early.segments_in);
  EXPECT_GT(late.receive_rtt, Duration::zero());
  EXPECT_EQ(on_thread(thread, [&] { return thread.sample("other.example:443"); }).sockets, 0U);

  // A connection that ends takes its socket along, not its counts.
  run(thread, request, {.on_head = [](const ResponseHead&) { return Flow::kAbort; }});
  const TcpSample after = on_thread(thread, [&] { return thread.sample(key); });
  EXPECT_EQ(after.sockets, 0U);
  EXPECT_GE(after.segments_in, late.segments_in);
  EXPECT_GE(after.out_of_order, late.out_of_order);
  EXPECT_GT(after.rtt_min_connect, Duration::zero());
  EXPECT_EQ(after.receive_rtt, Duration::zero());
}

}  // namespace
}  // namespace paceline::net
