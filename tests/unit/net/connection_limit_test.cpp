// The network thread under a limit of connections to one host.
#include <gtest/gtest.h>

#include <future>
#include <vector>

#include "plugin/net/url.h"
#include "tests/support/fake_server.h"
#include "tests/unit/net/recorder.h"

namespace paceline::net {
namespace {

using test::FakeConnection;
using test::FakeRequest;
using test::FakeServer;

NetworkOptions allowing(unsigned connections) {
  NetworkOptions options;
  options.host_connections = connections;
  return options;
}

void serve_or_hang(const FakeRequest& request, FakeConnection& connection) {
  if (request.target != "/hang") {
    connection.serve(request, "plain");
    return;
  }
  connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome");
  connection.wait_until_closed();
}

HttpRequest patient(std::string url) {
  HttpRequest request = get(std::move(url));
  request.patient = true;
  return request;
}

TEST(ConnectionLimit, ManyTransfersShareTheFewConnectionsThatAreAllowed) {
  FakeServer server(&serve_or_hang);
  NetworkThread thread(allowing(2));
  std::vector<std::future<Recording>> all;
  for (int i = 0; i < 20; ++i) all.push_back(launch(thread, get(server.url("/a"))));
  for (auto& one : all) EXPECT_TRUE(one.get().end.status);
  EXPECT_LE(server.connections(), 2U);
}

TEST(ConnectionLimit, AnImpatientTransferIsServedBeforeThoseThatWaitAndAsksForRoomOnce) {
  FakeServer server(&serve_or_hang);
  NetworkThread thread(allowing(1));
  auto [running, hangs] = on_thread(thread, [&] { return begin(thread, patient(server.url("/hang"))); });
  ASSERT_TRUE(server.wait_for_requests(1));
  int asked = 0;
  on_thread(thread, [&, id = running] {
    thread.on_host_full([&, id](const std::string& host) {
      EXPECT_EQ(host, host_key(server.url()).value());
      ++asked;
      thread.cancel(id);
    });
  });
  auto waits = launch(thread, patient(server.url("/patient")));
  EXPECT_EQ(on_thread(thread, [&] { return asked; }), 0);
  auto hurries = launch(thread, get(server.url("/hurries")));
  EXPECT_TRUE(hurries.get().end.status);
  EXPECT_TRUE(waits.get().end.status);
  EXPECT_EQ(hangs.get().end.status.error().code, Code::kCancelled);
  EXPECT_EQ(on_thread(thread, [&] { return asked; }), 1);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[1].target, "/hurries");
  EXPECT_EQ(requests[2].target, "/patient");
}

TEST(ConnectionLimit, OneHostMayHaveALimitOfItsOwn) {
  FakeServer server(&serve_or_hang);
  NetworkThread thread(allowing(1));
  on_thread(thread, [&] { thread.limit_connections(host_key(server.url()).value(), 3); });
  std::vector<std::pair<TransferId, std::future<Recording>>> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(on_thread(thread, [&] { return begin(thread, get(server.url("/hang"))); }));
  }
  ASSERT_TRUE(server.wait_for_requests(3));
  EXPECT_EQ(server.connections(), 3U);
  for (const auto& entry : all) on_thread(thread, [&, id = entry.first] { thread.cancel(id); });
  for (auto& [id, done] : all) EXPECT_EQ(done.get().end.status.error().code, Code::kCancelled);
}

TEST(ConnectionLimit, ATransferThatWaitsCanBeCancelled) {
  FakeServer server(&serve_or_hang);
  NetworkThread thread(allowing(1));
  auto [running, hangs] = on_thread(thread, [&] { return begin(thread, get(server.url("/hang"))); });
  ASSERT_TRUE(server.wait_for_requests(1));
  auto [waiting, waits] = on_thread(thread, [&] { return begin(thread, get(server.url("/a"))); });
  on_thread(thread, [&, id = waiting] { thread.cancel(id); });
  EXPECT_EQ(waits.get().end.status.error().code, Code::kCancelled);
  thread.shut_down();
  EXPECT_EQ(hangs.get().end.status.error().code, Code::kCancelled);
}

}  // namespace
}  // namespace paceline::net
