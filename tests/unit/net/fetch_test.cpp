#include <gmock/gmock.h>
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
using ::testing::HasSubstr;

TEST(Fetch, SendsMethodHeadersAndBody) {
  FakeServer server([](const FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 201, "made", {{"X-Answer", "yes"}});
  });
  NetworkThread thread(NetworkOptions{});
  HttpRequest request;
  request.method = "POST";
  request.url = server.url("/token?a=b");
  request.headers.add("X-Empty", "");
  request.headers.add("Authorization", "Bearer t");
  request.body = std::string("grant=\0x", 8);
  const auto response = thread.fetch(request, 100);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->headers.get("x-answer"), "yes");
  EXPECT_EQ(response->body, "made");
  const FakeRequest seen = server.requests().at(0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/token?a=b");
  EXPECT_EQ(seen.body, request.body);
  EXPECT_TRUE(seen.has("X-Empty"));
  EXPECT_EQ(seen.header("Authorization"), "Bearer t");
  EXPECT_EQ(seen.header("User-Agent"), "paceline");
  EXPECT_FALSE(seen.has("Accept-Encoding"));
  EXPECT_FALSE(seen.has("Expect"));
}

TEST(Fetch, HeadMayAnnounceMoreThanTheLimit) {
  FakeServer server([](const FakeRequest&, FakeConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n");
  });
  NetworkThread thread(NetworkOptions{});
  HttpRequest request = get(server.url());
  request.method = "HEAD";
  const auto response = thread.fetch(request, 10);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->headers.get("Content-Length"), "5000000000");
}

TEST(Fetch, AnAnnouncedGiantIsRefusedBeforeItsBody) {
  FakeServer server([](const FakeRequest&, FakeConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
    connection.wait_until_closed();
  });
  NetworkThread thread(NetworkOptions{});
  const auto response = thread.fetch(get(server.url("/m?secret=1")), 4U << 20U);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kResourceExhausted);
  EXPECT_THAT(response.error().message, HasSubstr("/m: answer larger than"));
  EXPECT_THAT(response.error().message, ::testing::Not(HasSubstr("secret")));
}

TEST(Fetch, AnEndlessBodyIsCutOff) {
  FakeServer server([](const FakeRequest&, FakeConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (connection.write("400\r\n" + std::string(1024, 'x') + "\r\n")) {
    }
  });
  NetworkThread thread(NetworkOptions{});
  const auto response = thread.fetch(get(server.url()), 100000);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kResourceExhausted);
}

TEST(Fetch, ABodyOfExactlyTheLimitPasses) {
  FakeServer server([](const FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, std::string(1000, 'x'));
  });
  NetworkThread thread(NetworkOptions{});
  EXPECT_TRUE(thread.fetch(get(server.url()), 1000));
  EXPECT_FALSE(thread.fetch(get(server.url()), 999));
}

TEST(Fetch, RedirectsAreAnswersLikeAnyOther) {
  FakeServer server([](const FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 307, "", {{"Location", "/elsewhere"}});
  });
  NetworkThread thread(NetworkOptions{});
  EXPECT_EQ(thread.fetch(get(server.url()), 10).value().status, 307);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST(Fetch, MalformedRequestsEndWithTheReasonAndWithoutTheSecret) {
  NetworkThread thread(NetworkOptions{});
  HttpRequest request = get("http://r.invalid/");
  request.headers.add("Authorization", "Bearer hidden\r\nX-Evil: 1");
  auto response = thread.fetch(request, 10);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kInvalidArgument);
  EXPECT_THAT(response.error().message, ::testing::Not(HasSubstr("hidden")));

  request = get("http://r.invalid/");
  request.method = "GET / HTTP/1.1\r\nX: y";
  EXPECT_EQ(thread.fetch(request, 10).error().code, Code::kInvalidArgument);
  for (const char* url : {"", "ftp://r.invalid/", "file:///etc/passwd", "http://user:pw@r.invalid/", "http://a b/"}) {
    EXPECT_EQ(thread.fetch(get(url), 10).error().code, Code::kInvalidArgument) << url;
  }
}

TEST(Fetch, ATotalTimeoutEndsIt) {
  FakeServer server([](const FakeRequest&, FakeConnection& connection) { connection.wait_until_closed(); });
  NetworkThread thread(NetworkOptions{});
  HttpRequest request = get(server.url());
  request.total_timeout = std::chrono::milliseconds(100);
  EXPECT_EQ(thread.fetch(request, 10).error().code, Code::kDeadlineExceeded);
}

TEST(Fetch, OnTheNetworkThreadItRefusesToBlock) {
  NetworkThread thread(NetworkOptions{});
  EXPECT_FALSE(thread.on_network_thread());
  const auto response = on_thread(thread, [&] { return thread.fetch(get("http://r.invalid/"), 10); });
  EXPECT_EQ(response.error().code, Code::kInternal);
}

}  // namespace
}  // namespace paceline::net
