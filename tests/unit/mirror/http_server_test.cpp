#include "plugin/mirror/http_server.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/unit/mirror/raw_client.h"

namespace paceline::mirror {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<HttpServer> serve(Handler handler, const HttpServerLimits& limits = {}) {
  auto server = HttpServer::start({.host = "127.0.0.1", .port = 0}, std::move(handler), limits);
  EXPECT_TRUE(server) << server.error().message;
  return std::move(*server);
}

Response text(std::string body) {
  Response response;
  response.headers.set("Content-Type", "text/plain");
  response.body = std::move(body);
  return response;
}

class ListSource final : public BodySource {
 public:
  explicit ListSource(std::vector<std::string> pieces, bool broken = false)
      : pieces_(std::move(pieces)), broken_(broken) {}
  Result<std::string> next() override {
    if (at_ < pieces_.size()) return pieces_[at_++];
    if (broken_) return fail(Code::kUnavailable, "reset");
    return std::string();
  }

 private:
  std::vector<std::string> pieces_;
  bool broken_;
  std::size_t at_ = 0;
};

TEST(HttpServer, PicksAPortAndServesManyRequestsOnOneConnection) {
  const auto server = serve([](const Request& request) { return text(request.method + " " + request.target); });
  ASSERT_NE(server->address().port, 0);
  RawClient client(server->address().port);
  for (int i = 0; i < 20; ++i) {
    const auto response = client.get("/a%2Fb?c=" + std::to_string(i));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "GET /a%2Fb?c=" + std::to_string(i));
    EXPECT_EQ(response.headers.at("content-type"), "text/plain");
  }
}

TEST(HttpServer, HeadHasTheLengthButNoBody) {
  const auto server = serve([](const Request& request) {
    Response response = text("12345");
    if (request.target == "/source") {
      response.body.clear();
      response.length = 1ULL << 40U;
    }
    if (request.target == "/empty") response.body.clear();
    return response;
  });
  RawClient client(server->address().port);
  EXPECT_EQ(client.get("/", "", "HEAD").headers.at("content-length"), "5");
  EXPECT_EQ(client.get("/source", "", "HEAD").headers.at("content-length"), "1099511627776");
  EXPECT_EQ(client.get("/empty", "", "HEAD").headers.at("content-length"), "0");
  EXPECT_EQ(client.get("/").body, "12345") << "nothing of the HEADs' bodies was sent";
}

TEST(HttpServer, DoesNotCutRangesOrCompress) {
  const auto server = serve([](const Request& request) {
    EXPECT_EQ(request.headers.get("Range"), "bytes=1-2");
    return text(std::string(5000, 'x'));
  });
  RawClient client(server->address().port);
  const auto response = client.get("/", "Range: bytes=1-2\r\nAccept-Encoding: gzip, br\r\n");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body.size(), 5000U);
  EXPECT_FALSE(response.headers.contains("content-encoding"));
}

TEST(HttpServer, StreamsWithAndWithoutALength) {
  const auto server = serve([](const Request& request) {
    Response response = text("");
    response.source =
        std::make_unique<ListSource>(std::vector<std::string>{"abc", "defg"}, request.target == "/broken");
    if (request.target != "/chunked") response.length = request.target == "/exact" ? 7 : 9;
    return response;
  });
  RawClient client(server->address().port);
  EXPECT_EQ(client.get("/exact").body, "abcdefg");
  const auto chunked = client.get("/chunked");
  EXPECT_EQ(chunked.body, "abcdefg");
  EXPECT_TRUE(chunked.complete);
  // A body that breaks off or ends early must not look whole.
  for (const auto* target : {"/broken", "/short"}) {
    RawClient cut(server->address().port);
    const auto response = cut.get(target);
    EXPECT_EQ(response.body, "abcdefg") << target;
    EXPECT_FALSE(response.complete) << target;
  }
}

TEST(HttpServer, ABodyInARequestEndsTheConnection) {
  const auto server = serve([](const Request&) { return text("ok"); });
  RawClient client(server->address().port);
  client.send("POST / HTTP/1.1\r\nContent-Length: 27\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n");
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_TRUE(client.at_end());
}

TEST(HttpServer, EndlessHeadsAreCutOff) {
  std::atomic<int> handled = 0;
  const auto server = serve(
      [&](const Request&) {
        ++handled;
        return text("ok");
      },
      {.head_bytes = 16U << 10U});
  RawClient line(server->address().port);
  line.send("GET /" + std::string(1U << 20U, 'x'));
  EXPECT_TRUE(line.receive().status == 0 || line.at_end());
  RawClient fields(server->address().port);
  fields.send("GET / HTTP/1.1\r\n");
  for (int i = 0; i < 4000; ++i) fields.send("X-" + std::to_string(i) + ": " + std::string(100, 'y') + "\r\n");
  const int status = fields.receive().status;
  EXPECT_TRUE(status == 0 || status >= 400) << status;
  EXPECT_EQ(handled, 0);
}

TEST(HttpServer, SlowHeadsAndIdleConnectionsAreDropped) {
  const auto server = serve([](const Request&) { return text("ok"); }, {.head_time = 50ms, .idle_time = 1s});
  RawClient slow(server->address().port);
  slow.send("GET / HT");
  EXPECT_NE(slow.receive().status, 200);
  RawClient idle(server->address().port);
  EXPECT_EQ(idle.get("/").status, 200);
  EXPECT_TRUE(idle.at_end());
}

TEST(HttpServer, GarbageIsRefused) {
  const auto server = serve([](const Request&) { return text("ok"); });
  for (const auto* bytes :
       {"\r\n\r\n", "GARBAGE\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n"}) {
    RawClient client(server->address().port);
    client.send(bytes);
    const int status = client.receive().status;
    EXPECT_TRUE(status == 0 || status == 400) << bytes;
  }
}

TEST(HttpServer, AThrowingHandlerIsA500) {
  const auto server = serve([](const Request&) -> Response { throw std::runtime_error("bug"); });
  RawClient client(server->address().port);
  EXPECT_EQ(client.get("/").status, 500);
}

TEST(HttpServer, HeldRequestsDoNotStarveOthers) {
  std::promise<void> release;
  const auto released = release.get_future().share();
  const auto server = serve([&](const Request& request) {
    if (request.target == "/held") released.wait();
    return text("ok");
  });
  std::vector<std::unique_ptr<RawClient>> held;
  for (int i = 0; i < 100; ++i) {
    held.push_back(std::make_unique<RawClient>(server->address().port));
    held.back()->send("GET /held HTTP/1.1\r\n\r\n");
  }
  RawClient other(server->address().port);
  EXPECT_EQ(other.get("/").status, 200);
  release.set_value();
  for (auto& client : held) EXPECT_EQ(client->receive().status, 200);
}

TEST(HttpServer, ConnectionsAreBoundedAndTheRestWait) {
  const auto server = serve([](const Request&) { return text("ok"); }, {.connections = 2});
  auto first = std::make_unique<RawClient>(server->address().port);
  auto second = std::make_unique<RawClient>(server->address().port);
  EXPECT_EQ(first->get("/").status, 200);
  EXPECT_EQ(second->get("/").status, 200);
  RawClient third(server->address().port);
  third.send("GET / HTTP/1.1\r\n\r\n");
  first.reset();
  EXPECT_EQ(third.receive().status, 200);
}

TEST(HttpServer, DrainEndsIdleConnectionsAndWaitsForBusyOnes) {
  std::promise<void> entered;
  std::promise<void> release;
  const auto released = release.get_future().share();
  const auto server = serve([&](const Request& request) {
    if (request.target == "/held") {
      entered.set_value();
      released.wait();
    }
    return text("ok");
  });
  RawClient idle(server->address().port);
  EXPECT_EQ(idle.get("/").status, 200);
  RawClient busy(server->address().port);
  busy.send("GET /held HTTP/1.1\r\n\r\n");
  entered.get_future().wait();
  EXPECT_FALSE(server->drain(10ms));
  EXPECT_TRUE(idle.at_end());
  release.set_value();
  EXPECT_TRUE(server->drain(10s));
  EXPECT_EQ(busy.receive().body, "ok");
}

TEST(HttpServer, ListensOnLoopbackOnly) {
  const auto server = HttpServer::start({.host = "0.0.0.0", .port = 0}, [](const Request&) { return text(""); });
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, Code::kInvalidArgument);
}

TEST(HttpServer, APortInUseIsNamed) {
  const auto server = serve([](const Request&) { return text(""); });
  const auto second = HttpServer::start(server->address(), [](const Request&) { return text(""); });
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(server->address().to_string()), std::string::npos) << second.error().message;
}

}  // namespace
}  // namespace paceline::mirror
