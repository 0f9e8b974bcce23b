// Peers that misbehave: every case ends, once, with a clear error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/fake_server.h"
#include "tests/unit/net/recorder.h"

namespace paceline::net {
namespace {

using test::FakeConnection;
using test::FakeRequest;
using test::FakeServer;
using ::testing::HasSubstr;
using ::testing::Not;

/// What a client makes of these bytes, after which the server closes.
Recording answer(const std::string& bytes) {
  FakeServer server([&](const FakeRequest&, FakeConnection& connection) {
    connection.write(bytes);
    connection.close();
  });
  NetworkThread thread(NetworkOptions{});
  return run(thread, get(server.url("/blob?sig=hidden")));
}

TEST(Fault, ATruncatedBodyIsUnavailable) {
  const Recording recording = answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
  ASSERT_FALSE(recording.end.status);
  EXPECT_EQ(recording.end.status.error().code, Code::kUnavailable);
  EXPECT_THAT(recording.end.status.error().message, HasSubstr("/blob"));
  EXPECT_THAT(recording.end.status.error().message, Not(HasSubstr("hidden")));
  EXPECT_EQ(recording.body, "short");
  EXPECT_EQ(recording.end.body_bytes, 5U);
  EXPECT_FALSE(recording.end.aborted);
}

TEST(Fault, ATruncatedChunkedBodyIsUnavailable) {
  const Recording recording = answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n");
  ASSERT_FALSE(recording.end.status);
  EXPECT_EQ(recording.end.status.error().code, Code::kUnavailable);
}

TEST(Fault, NoAnswerOrGarbageIsUnavailable) {
  for (const char* bytes : {"", "garbage\r\n\r\n", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Le",
                            "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n"}) {
    const Recording recording = answer(bytes);
    ASSERT_FALSE(recording.end.status) << bytes;
    EXPECT_EQ(recording.end.status.error().code, Code::kUnavailable) << bytes;
    EXPECT_EQ(recording.heads, 0) << bytes;
  }
}

TEST(Fault, AnImpossibleContentLengthIsRefused) {
  for (const char* length : {"99999999999999999999999", "9223372036854775808", "-1", "5, 6", "0x10", ""}) {
    const Recording recording = answer("HTTP/1.1 200 OK\r\nContent-Length: " + std::string(length) + "\r\n\r\nbody");
    ASSERT_FALSE(recording.end.status) << length;
    EXPECT_EQ(recording.end.status.error().code, Code::kUnavailable) << length;
    EXPECT_EQ(recording.heads, 0) << length;
  }
}

TEST(Fault, AnEndlessHeadIsCutOff) {
  FakeServer server([](const FakeRequest&, FakeConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\n");
    while (connection.write("X-Filler: " + std::string(4000, 'x') + "\r\n")) {
    }
  });
  NetworkThread thread(NetworkOptions{});
  const Recording recording = run(thread, get(server.url()));
  ASSERT_FALSE(recording.end.status);
  EXPECT_EQ(recording.heads, 0);
}

TEST(Fault, AResetInTheBodyIsUnavailable) {
  FakeServer server([](const FakeRequest&, FakeConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + std::string(1000, 'x'));
    connection.reset();
  });
  NetworkThread thread(NetworkOptions{});
  EXPECT_EQ(run(thread, get(server.url())).end.status.error().code, Code::kUnavailable);
}

TEST(Fault, ARefusedConnectionIsUnavailableAndNamesTheUrl) {
  NetworkThread thread(NetworkOptions{});
  const std::string host = "127.0.0.1:" + std::to_string(test::refused_port());
  const Recording recording = run(thread, get("http://" + host + "/v2/?token=hidden"));
  ASSERT_FALSE(recording.end.status);
  EXPECT_EQ(recording.end.status.error().code, Code::kUnavailable);
  EXPECT_THAT(recording.end.status.error().message, HasSubstr(host));
  EXPECT_THAT(recording.end.status.error().message, Not(HasSubstr("hidden")));
  EXPECT_FALSE(recording.end.reused);
}

TEST(Fault, AnUnknownHostIsUnavailable) {
  NetworkThread thread(NetworkOptions{});
  EXPECT_EQ(run(thread, get("http://no-such-host.invalid/")).end.status.error().code, Code::kUnavailable);
}

TEST(Fault, AStallEndsTheTransferAndASteadyOneLives) {
  FakeServer server([](const FakeRequest& request, FakeConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n");
    if (request.target == "/steady") {
      for (int i = 0; i < 30 && connection.write("x"); ++i) connection.wait(std::chrono::milliseconds(10));
    } else {
      connection.write("x");
      connection.wait_until_closed();
    }
  });
  NetworkThread thread(NetworkOptions{});
  HttpRequest request = get(server.url("/stuck"));
  request.stall_bytes = 10;
  request.stall_window = std::chrono::milliseconds(200);  // Two bytes a window.
  auto stuck = launch(thread, request);
  request.url = server.url("/steady");
  request.stall_bytes = 1;
  request.stall_window = std::chrono::seconds(2);
  auto steady = launch(thread, request);
  const Recording recording = stuck.get();
  ASSERT_FALSE(recording.end.status);
  EXPECT_EQ(recording.end.status.error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(recording.body, "x");
  const Recording alive = steady.get();
  EXPECT_TRUE(alive.end.status) << alive.end.status.error().message;
}

TEST(Fault, ASilentServerIsAStallOnANewAndOnAReusedConnection) {
  FakeServer server([](const FakeRequest& request, FakeConnection& connection) {
    if (request.target == "/warm") {
      connection.respond(request, 200);
    } else {
      connection.wait_until_closed();
    }
  });
  NetworkThread thread(NetworkOptions{});
  HttpRequest request = get(server.url("/silent"));
  request.stall_bytes = 1;
  request.stall_window = std::chrono::milliseconds(100);
  EXPECT_EQ(run(thread, request).end.status.error().code, Code::kDeadlineExceeded);
  EXPECT_TRUE(run(thread, get(server.url("/warm"))).end.status);
  const Recording reused = run(thread, request);
  EXPECT_EQ(reused.end.status.error().code, Code::kDeadlineExceeded);
  EXPECT_TRUE(reused.end.reused);
}

TEST(Fault, AClosedIdleConnectionIsReplacedQuietly) {
  FakeServer server([](const FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, "ok");
    connection.close();  // Without saying so in the head.
  });
  NetworkThread thread(NetworkOptions{});
  for (int i = 0; i < 20; ++i) {
    const Recording recording = run(thread, get(server.url()));
    ASSERT_TRUE(recording.end.status) << recording.end.status.error().message;
    EXPECT_EQ(recording.heads, 1);
  }
  EXPECT_EQ(server.connections(), 20U);
}

}  // namespace
}  // namespace paceline::net
