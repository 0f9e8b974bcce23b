#include "plugin/net/request_tally.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "plugin/net/network_thread.h"
#include "tests/support/fake_server.h"

namespace paceline::net {
namespace {

std::uint64_t count_of(const std::vector<RequestCount>& counts, const std::string& host, int status) {
  const auto found =
      std::ranges::find_if(counts, [&](const auto& entry) { return entry.host == host && entry.status == status; });
  return found == counts.end() ? 0 : found->count;
}

TEST(RequestTally, CountsByHostAndStatusAndPoolsWhatIsTooMuch) {
  RequestTally tally(2);
  tally.count("a:443", 200);
  tally.count("a:443", 200);
  tally.count("a:443", 429);
  tally.count("b:443", 200);
  tally.count("c:443", 200);
  const auto counts = tally.counts();
  EXPECT_EQ(count_of(counts, "a:443", 200), 2U);
  EXPECT_EQ(count_of(counts, "a:443", 429), 1U);
  EXPECT_EQ(count_of(counts, "", 200), 2U);
  EXPECT_EQ(counts.size(), 3U);
}

TEST(RequestTally, TheNetworkThreadCountsWhatItSent) {
  test::FakeServer server([](const test::FakeRequest& request, test::FakeConnection& connection) {
    if (request.target == "/mute") {
      connection.close();
    } else {
      connection.respond(request, request.target == "/busy" ? 429 : 200, "text");
    }
  });
  NetworkThread network(NetworkOptions{});
  HttpRequest request;
  for (const auto* path : {"/", "/", "/busy", "/mute"}) {
    request.url = server.url(path);
    (void)network.fetch(request, 1024);
  }
  request.url = "http://127.0.0.1:" + std::to_string(test::refused_port()) + "/";
  (void)network.fetch(request, 1024);  // Never sent.
  const auto counts = network.requests();
  EXPECT_EQ(count_of(counts, server.host(), 200), 2U);
  EXPECT_EQ(count_of(counts, server.host(), 429), 1U);
  EXPECT_EQ(count_of(counts, server.host(), 0), 1U);
  EXPECT_EQ(counts.size(), 3U);
}

}  // namespace
}  // namespace paceline::net
