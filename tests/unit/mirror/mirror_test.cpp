#include "plugin/mirror/mirror.h"

#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "tests/support/fake_server.h"
#include "tests/unit/mirror/fakes.h"
#include "tests/unit/mirror/raw_client.h"

namespace paceline::mirror {
namespace {

using namespace std::chrono_literals;
using test::FakeConnection;
using test::FakeRequest;
using test::FakeServer;

const std::string kBlob = "sha256:" + std::string(64, 'a');

class MirrorTest : public testing::Test {
 public:
  ~MirrorTest() override { network_.shut_down(); }

 protected:
  void start() {
    auto mirror = Mirror::start({.host = "127.0.0.1", .port = 0}, upstream_, network_, clock_);
    ASSERT_TRUE(mirror) << mirror.error().message;
    mirror_ = std::move(*mirror);
  }

  RawClient client() { return RawClient(mirror_->address().port); }

  SystemClock clock_;
  net::NetworkThread network_{net::NetworkOptions{}};
  FakeUpstream upstream_;
  std::unique_ptr<Mirror> mirror_;
};

TEST_F(MirrorTest, Ping) {
  start();
  const auto response = client().get("/v2/");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.at("docker-distribution-api-version"), "registry/2.0");
}

TEST_F(MirrorTest, HeadThenGetCostOneUpstreamRequest) {
  const auto document = make_document(R"({"schemaVersion":2})");
  upstream_.documents = [&](registry::Repository& repository, const std::string& object) {
    EXPECT_EQ(repository.registry(), "docker.io");
    EXPECT_EQ(repository.repository(), "library/redis");
    EXPECT_EQ(repository.access().authorization.reveal(), "Bearer t");
    EXPECT_EQ(object, "7");
    return registry::Document(document);
  };
  start();
  auto connection = client();
  const auto head = connection.get("/v2/library/redis/manifests/7?ns=docker.io", "Authorization: Bearer t\r\n", "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-type"), document.media_type);
  EXPECT_EQ(head.headers.at("content-length"), std::to_string(document.bytes.size()));
  EXPECT_EQ(head.headers.at("docker-content-digest"), document.digest.to_string());
  EXPECT_EQ(head.headers.at("etag"), '"' + document.digest.to_string() + '"');
  const auto get = connection.get("/v2/library/redis/manifests/" + document.digest.to_string() + "?ns=docker.io",
                                  "Authorization: Bearer t\r\n");
  EXPECT_EQ(get.status, 200);
  EXPECT_EQ(get.body, document.bytes);
  EXPECT_EQ(upstream_.asked, 1);
  EXPECT_EQ(upstream_.asked_for_known, 1) << "it may be another pull, whose blobs are to be looked for";
}

TEST_F(MirrorTest, AnotherCallerIsAnotherRequest) {
  upstream_.documents = [](registry::Repository& repository,
                           const std::string&) -> tl::expected<registry::Document, registry::Refusal> {
    if (repository.access().authorization.reveal() == "Bearer good") return make_document("{}");
    registry::Refusal refusal;
    refusal.status = 401;
    refusal.headers.add("WWW-Authenticate",
                        R"(Bearer realm="https://auth.example/token",service="reg",scope="repository:a:pull")");
    refusal.headers.add("Content-Type", "application/json");
    refusal.headers.add("Connection", "close");
    refusal.body = R"({"errors":[]})";
    return tl::unexpected(refusal);
  };
  start();
  auto connection = client();
  EXPECT_EQ(connection.get("/v2/a/manifests/v1?ns=ghcr.io", "Authorization: Bearer good\r\n").status, 200);
  const auto refused = connection.get("/v2/a/manifests/v1?ns=ghcr.io");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.headers.at("www-authenticate"),
            R"(Bearer realm="https://auth.example/token",service="reg",scope="repository:a:pull")");
  EXPECT_EQ(refused.headers.at("content-type"), "application/json");
  EXPECT_EQ(refused.body, R"({"errors":[]})");
  EXPECT_EQ(upstream_.asked, 2);
}

TEST_F(MirrorTest, OwnTroubleIsA404SoThatTheClientMovesOn) {
  upstream_.documents = [](registry::Repository&,
                           const std::string& object) -> tl::expected<registry::Document, registry::Refusal> {
    registry::Refusal refusal;
    refusal.status = object == "redirected" ? 307 : 0;
    refusal.error = {Code::kUnavailable, "no route to host"};
    return tl::unexpected(refusal);
  };
  start();
  auto connection = client();
  const auto response = connection.get("/v2/a/manifests/v1?ns=ghcr.io");
  EXPECT_EQ(response.status, 404);
  EXPECT_NE(response.body.find("no route to host"), std::string::npos);
  EXPECT_EQ(connection.get("/v2/a/manifests/redirected?ns=ghcr.io").status, 404);
  EXPECT_EQ(connection.get("/v2/a/manifests/v1?ns=ghcr.io", "", "HEAD").status, 404);
}

TEST_F(MirrorTest, ThrottlingIsPassedOnWithItsRetryAfter) {
  upstream_.documents = [](registry::Repository&,
                           const std::string&) -> tl::expected<registry::Document, registry::Refusal> {
    registry::Refusal refusal;
    refusal.status = 429;
    refusal.headers.add("Retry-After", "7");
    return tl::unexpected(refusal);
  };
  start();
  auto connection = client();
  for (int i = 0; i < 6; ++i) {
    const auto response = connection.get("/v2/a/manifests/v1?ns=ghcr.io");
    EXPECT_EQ(response.status, 429);
    EXPECT_EQ(response.headers.at("retry-after"), "7");
  }
  EXPECT_EQ(upstream_.asked, 1) << "containerd's five immediate retries stay here";
}

TEST_F(MirrorTest, ServesTheUsersOfContainerdOnly) {
  if (::geteuid() != 0) GTEST_SKIP() << "to be another user takes root";
  upstream_.documents = [](registry::Repository&, const std::string&) { return make_document("{}"); };
  start();
  // A socket belongs to the file system user of the thread that makes it.
  ::setfsuid(65534);
  auto stranger = client();
  ::setfsuid(0);
  for (const auto* target : {"/v2/", "/v2/a/manifests/v1?ns=ghcr.io"}) {
    const auto refused = stranger.get(target, "Authorization: Bearer t\r\n");
    EXPECT_EQ(refused.status, 403) << target;
    EXPECT_NE(refused.body.find("mirror.allowed_uids"), std::string::npos) << refused.body;
  }
  EXPECT_EQ(upstream_.asked, 0);
  EXPECT_EQ(client().get("/v2/a/manifests/v1?ns=ghcr.io").status, 200);
}

TEST(Callers, AreRootTheOwnUserAndWhoIsNamed) {
  const Callers callers({1000});
  EXPECT_TRUE(callers.allowed(0));
  EXPECT_TRUE(callers.allowed(::geteuid()));
  EXPECT_TRUE(callers.allowed(1000));
  EXPECT_FALSE(callers.allowed(1001));
  EXPECT_FALSE(callers.allowed(std::nullopt)) << "whoever cannot be told";
}

TEST_F(MirrorTest, RefusesWhatItDoesNotServe) {
  start();
  auto connection = client();
  EXPECT_EQ(connection.get("/v2/a/manifests/v1").status, 404);
  EXPECT_EQ(connection.get("/v2/A/manifests/v1?ns=ghcr.io").status, 400);
  EXPECT_EQ(connection.get("/v2/a/manifests/v1?ns=ghcr.io", "", "DELETE").status, 405);
  EXPECT_EQ(upstream_.asked, 0);
}

TEST_F(MirrorTest, BlobsAreForwardedWithTheCallersRightsAndRange) {
  const std::string blob(3U << 20U, 'b');
  FakeServer registry([&](const FakeRequest& request, FakeConnection& connection) {
    if (request.header("Authorization") != "Basic abc") {
      connection.respond(request, 401, "no", {{"WWW-Authenticate", "Basic realm=\"r\""}, {"X-Internal", "1"}});
      return;
    }
    connection.serve(request, blob, {{"Docker-Content-Digest", kBlob}});
  });
  upstream_.bases = {registry.url("")};
  start();
  auto connection = client();
  const std::string target = "/v2/a/blobs/" + kBlob + "?ns=ghcr.io";
  const auto refused = connection.get(target);
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.body, "no");
  EXPECT_EQ(refused.headers.at("www-authenticate"), "Basic realm=\"r\"");
  EXPECT_FALSE(refused.headers.contains("x-internal"));

  const auto whole = connection.get(target, "Authorization: Basic abc\r\n");
  EXPECT_EQ(whole.status, 200);
  EXPECT_TRUE(whole.body == blob);
  EXPECT_EQ(whole.headers.at("docker-content-digest"), kBlob);

  const auto part = connection.get(target, "Authorization: Basic abc\r\nRange: bytes=3145720-\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "bbbbbbbb");
  EXPECT_EQ(part.headers.at("content-range"), "bytes 3145720-3145727/3145728");

  const auto head = connection.get(target, "Authorization: Basic abc\r\n", "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-length"), "3145728");
}

TEST_F(MirrorTest, ASlowClientSlowsTheUpstreamDown) {
  std::atomic<std::size_t> written = 0;
  FakeServer registry([&](const FakeRequest&, FakeConnection& connection) {
    const std::string piece(64U << 10U, 'x');
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 268435456\r\n\r\n");
    for (int i = 0; i < 4096 && connection.write(piece); ++i) written += piece.size();
  });
  upstream_.bases = {registry.url("")};
  start();
  {
    auto connection = client();
    connection.send("GET /v2/a/blobs/" + kBlob + "?ns=ghcr.io HTTP/1.1\r\n\r\n");
    // Reads nothing: what is under way fits into socket buffers and the pipe.
    std::size_t before = 1;
    for (int i = 0; i < 200 && before != written; ++i) {
      before = written;
      std::this_thread::sleep_for(100ms);
    }
    EXPECT_LT(written, 64U << 20U);
  }
  // The client is gone: the transfer ends, which the server's destructor would otherwise wait for.
  EXPECT_TRUE(mirror_->drain(10s));
}

TEST_F(MirrorTest, RedirectsAreTheClientsToFollow) {
  FakeServer registry([&](const FakeRequest& request, FakeConnection& connection) {
    const bool relative = request.target.find("relative") != std::string::npos;
    connection.respond(request, 307, "", {{"Location", relative ? "/elsewhere" : "https://blobs.example/x?sig=1"}});
  });
  upstream_.bases = {registry.url("")};
  start();
  auto connection = client();
  auto response = connection.get("/v2/a/blobs/" + kBlob + "?ns=ghcr.io");
  EXPECT_EQ(response.status, 307);
  EXPECT_EQ(response.headers.at("location"), "https://blobs.example/x?sig=1");
  response = connection.get("/v2/relative/blobs/" + kBlob + "?ns=ghcr.io");
  EXPECT_EQ(response.headers.at("location"), registry.url("/elsewhere"));
}

TEST_F(MirrorTest, TheNextEndpointIsAskedWhereOneFails) {
  FakeServer broken([](const FakeRequest& request, FakeConnection& connection) { connection.respond(request, 500); });
  FakeServer good([](const FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, R"({"tags":["v1"]})", {{"Content-Type", "application/json"}});
  });
  upstream_.bases = {"http://127.0.0.1:" + std::to_string(test::refused_port()), broken.url(""), good.url("")};
  start();
  const auto response = client().get("/v2/a/tags/list?ns=ghcr.io&n=5");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"tags":["v1"]})");
  ASSERT_EQ(good.requests().size(), 1U);
  EXPECT_EQ(good.requests()[0].target, "/v2/a/tags/list?n=5");
}

TEST_F(MirrorTest, AnUnreachableUpstreamIsA404) {
  upstream_.bases = {"http://127.0.0.1:" + std::to_string(test::refused_port())};
  start();
  const auto response = client().get("/v2/a/blobs/" + kBlob + "?ns=ghcr.io");
  EXPECT_EQ(response.status, 404);
  EXPECT_NE(response.body.find("BLOB_UNKNOWN"), std::string::npos);
}

TEST_F(MirrorTest, ATruncatedUpstreamBodyIsTruncatedForTheClient) {
  FakeServer registry([](const FakeRequest&, FakeConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
    connection.close();
  });
  upstream_.bases = {registry.url("")};
  start();
  const auto response = client().get("/v2/a/blobs/" + kBlob + "?ns=ghcr.io");
  EXPECT_EQ(response.status, 200);
  EXPECT_FALSE(response.complete);
}

TEST_F(MirrorTest, StopsWhileAnUpstreamHangs) {
  FakeServer registry([](const FakeRequest&, FakeConnection& connection) { connection.wait_until_closed(); });
  upstream_.bases = {registry.url("")};
  start();
  auto connection = client();
  connection.send("GET /v2/a/blobs/" + kBlob + "?ns=ghcr.io HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(registry.wait_for_requests(1));
  EXPECT_FALSE(mirror_->drain(10ms));
  network_.shut_down();
  mirror_.reset();
}

}  // namespace
}  // namespace paceline::mirror
