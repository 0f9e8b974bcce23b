#include "plugin/registry/repository.h"

#include <fstream>

#include "plugin/net/url.h"
#include "tests/unit/registry/registry_fixture.h"

namespace paceline::registry {
namespace {

using std::chrono::seconds;
using test::FakeConnection;
using test::FakeHeaders;
using test::FakeRequest;
using test::FakeServer;
using testing::HasSubstr;

const std::string kManifest = R"({"schemaVersion":2,"config":{},"layers":[]})";
const std::string kDigest = sha256(kManifest).to_string();
const FakeHeaders kManifestHeaders = {{"Content-Type", kManifestType}};
const std::string kPath = "/v2/team/app/manifests/v1?ns=registry.test";
const std::string kBasic = "Basic " + base64_encode("user:hunter2");

void serve_manifest(const FakeRequest& request, FakeConnection& connection) {
  connection.respond(request, 200, kManifest, kManifestHeaders);
}

FakeServer::Handler answering(int status, std::string body = {}, FakeHeaders headers = {}) {
  return [=](const FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, status, body, headers);
  };
}

// A registry that wants bearer tokens and its token service in one: /token issues "t1", "t2", …; the newest is good.
struct TokenRegistry {
  std::atomic<int> issued = 0;
  std::atomic<bool> accept_none = false;
  FakeServer server{[this](const FakeRequest& request, FakeConnection& connection) {
    if (request.target.starts_with("/token")) {
      const std::string answer = R"({"token":"t)" + std::to_string(++issued) + R"(","expires_in":300})";
      connection.respond(request, 200, answer);
    } else if (!accept_none && request.header("Authorization") == "Bearer t" + std::to_string(issued)) {
      serve_manifest(request, connection);
    } else {
      connection.respond(request, 401, R"({"errors":[{"code":"UNAUTHORIZED"}]})", {{"WWW-Authenticate", challenge()}});
    }
  }};
  [[nodiscard]] std::string challenge() const {
    return "Bearer realm=\"" + server.url("/token") + "\",service=\"s\",scope=\"repository:team/app:pull\"";
  }
};

class RepositoryTest : public RegistryTest {};

TEST_F(RepositoryTest, AnonymousManifestByTagAndDigest) {
  FakeServer server(serve_manifest);
  set_hosts(server.url());
  const auto document = own()->document("v1");
  ASSERT_TRUE(document) << document.error().error.message;
  EXPECT_EQ(document->bytes, kManifest);
  EXPECT_EQ(document->media_type, kManifestType);
  EXPECT_EQ(document->digest.to_string(), kDigest);
  EXPECT_TRUE(own()->document(kDigest));
  const auto requests = server.requests();
  EXPECT_EQ(requests[0].target, kPath);
  EXPECT_THAT(requests[0].header("Accept"), HasSubstr("application/vnd.oci.image.index.v1+json"));
  EXPECT_FALSE(requests[0].has("Authorization"));
}

TEST_F(RepositoryTest, BearerTokenIsFetchedOnceAndBroughtAlongAfterwards) {
  TokenRegistry registry;
  set_hosts(registry.server.url());
  ASSERT_TRUE(own()->document("v1"));
  EXPECT_EQ(registry.server.requests().size(), 3U);  // 401, token, 200
  ASSERT_TRUE(own()->document("v1"));
  EXPECT_EQ(registry.server.requests().size(), 4U);
  clock_.advance(seconds(300));
  ASSERT_TRUE(own()->document("v1"));
  EXPECT_EQ(registry.server.requests().size(), 6U);  // token, 200
  EXPECT_EQ(registry.issued, 2);
}

TEST_F(RepositoryTest, ARevokedTokenIsRenewedAndAFreshOneNotForEver) {
  TokenRegistry registry;
  set_hosts(registry.server.url());
  const auto repository = own();
  ASSERT_TRUE(repository->document("v1"));
  const auto request = repository->blob_request(sha256("layer"), 0);
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->http1);
  EXPECT_EQ(request->url,
            registry.server.url("/v2/team/app/blobs/" + sha256("layer").to_string() + "?ns=registry.test"));
  const std::string old(request->headers.get("Authorization"));
  EXPECT_EQ(old, "Bearer t1");
  clock_.advance(seconds(60));
  ASSERT_TRUE(repository->reauthorize(0, registry.challenge(), old));
  ASSERT_TRUE(repository->reauthorize(0, registry.challenge(), old)) << "a second stream with the same old token";
  EXPECT_EQ(registry.issued, 2);
  EXPECT_EQ(repository->blob_request(sha256("layer"), 0)->headers.get("Authorization"), "Bearer t2");
  const auto again = repository->reauthorize(0, registry.challenge(), "Bearer t2");
  ASSERT_FALSE(again) << "it was only just issued";
  EXPECT_EQ(again.error().code, Code::kUnauthenticated);
  EXPECT_THAT(again.error().message, Not(HasSubstr("t2")));
}

TEST_F(RepositoryTest, TokensThatNeverSufficeEndInARefusal) {
  TokenRegistry registry;
  registry.accept_none = true;
  set_hosts(registry.server.url());
  const auto document = own()->document("v1");
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().status, 401);
  EXPECT_EQ(document.error().error.code, Code::kUnauthenticated);
  EXPECT_EQ(registry.server.requests().size(), 3U);
}

TEST_F(RepositoryTest, BasicGoesToTheHostThatAskedAndToNoOther) {
  FakeServer elsewhere([](const FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 401, {}, {{"WWW-Authenticate", "Basic realm=\"phish\""}});
  });
  FakeServer server([&](const FakeRequest& request, FakeConnection& connection) {
    if (request.header("Authorization") == kBasic) return serve_manifest(request, connection), void();
    connection.respond(request, 401, {}, {{"WWW-Authenticate", "Basic realm=\"r\""}});
  });
  set_hosts(server.url(), {elsewhere.url()});
  set_login(server.host(), "user:hunter2");
  ASSERT_TRUE(own()->document("v1"));
  for (const auto& request : elsewhere.requests()) EXPECT_FALSE(request.has("Authorization"));
  EXPECT_EQ(server.requests().back().header("Authorization"), kBasic);
}

TEST_F(RepositoryTest, MissingAndWrongCredentialsAreToldApart) {
  FakeServer server(answering(401, "you sent hunter2", {{"WWW-Authenticate", "Basic realm=\"r\""}}));
  set_hosts(server.url());
  const auto none = own()->document("v1");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().status, 401);
  EXPECT_THAT(none.error().error.message, HasSubstr("config.json has none"));
  set_login(server.host(), "user:hunter2");
  const auto wrong = own()->document("v1");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().error.message, HasSubstr("refuses the credentials"));
  EXPECT_THAT(wrong.error().error.message, Not(HasSubstr("hunter2")));
  EXPECT_THAT(wrong.error().error.message, Not(HasSubstr(base64_encode("user:hunter2"))));
}

TEST_F(RepositoryTest, RedirectsAreFollowedWithoutTheSecrets) {
  FakeServer store(
      [](const FakeRequest& request, FakeConnection& connection) { connection.respond(request, 200, "config"); });
  FakeServer server([&](const FakeRequest& request, FakeConnection& connection) {
    if (!request.has("Authorization")) {
      connection.respond(request, 401, {}, {{"WWW-Authenticate", "Basic realm=\"r\""}});
    } else if (!request.target.starts_with("/moved")) {
      connection.respond(request, 307, {}, {{"Location", "/moved"}});
    } else {
      connection.respond(request, 302, {}, {{"Location", store.url("/signed?sig=hunter2")}});
    }
  });
  dir_.write("config.json", "{}");
  set_hosts(server.url());
  set_login(server.host(), "user:hunter2");
  std::ofstream(dir_.path() / "certs.d" / kRegistry / "hosts.toml", std::ios::app) << "[header]\nX-Secret = \"s\"\n";
  const auto blob = own()->small_blob(sha256("config"), 100);
  ASSERT_TRUE(blob) << blob.error().message;
  EXPECT_EQ(*blob, "config");
  EXPECT_TRUE(server.requests().back().has("Authorization")) << "same origin";
  EXPECT_TRUE(server.requests().back().has("X-Secret"));
  ASSERT_EQ(store.requests().size(), 1U);
  EXPECT_FALSE(store.requests()[0].has("Authorization"));
  EXPECT_FALSE(store.requests()[0].has("X-Secret"));
}

TEST_F(RepositoryTest, ARedirectTargetsChallengeIsNobodysToAnswer) {
  FakeServer store(answering(401, {}, {{"WWW-Authenticate", "Basic realm=\"phish\""}}));
  FakeServer server(answering(302, {}, {{"Location", store.url("/x")}}));
  set_hosts(server.url());
  set_login(server.host(), "user:hunter2");
  set_login(store.host(), "user:hunter2");
  const auto own_answer = own()->document("v1");
  ASSERT_FALSE(own_answer);
  const auto caller_answer = caller("")->document("v1");
  ASSERT_FALSE(caller_answer);
  EXPECT_FALSE(caller_answer.error().headers.has("WWW-Authenticate"));
  for (const auto& request : store.requests()) EXPECT_FALSE(request.has("Authorization"));
}

TEST_F(RepositoryTest, ARedirectLoopEnds) {
  FakeServer server(answering(302, {}, {{"Location", "/again?token=hunter2"}}));
  set_hosts(server.url());
  const auto document = own()->document("v1");
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().status, 0);
  EXPECT_THAT(document.error().error.message, HasSubstr("loop"));
  EXPECT_THAT(document.error().error.message, Not(HasSubstr("hunter2")));
  EXPECT_EQ(server.requests().size(), 6U);
}

TEST_F(RepositoryTest, MirrorsAreAskedInOrderUntilOneAnswers) {
  FakeServer missing(answering(404));
  FakeServer broken(answering(500));
  FakeServer html(answering(200, "<html>please log in</html>", {{"Content-Type", "text/html"}}));
  FakeServer good(serve_manifest);
  FakeServer never(serve_manifest);
  const std::string dead = "http://127.0.0.1:" + std::to_string(test::refused_port());
  set_hosts(never.url(), {missing.url(), dead, broken.url(), html.url(), good.url()});
  ASSERT_TRUE(own()->document("v1"));
  for (const auto* server : {&missing, &broken, &html, &good}) {
    ASSERT_EQ(server->requests().size(), 1U);
    EXPECT_EQ(server->requests()[0].target, kPath);
  }
  EXPECT_TRUE(never.requests().empty());
  EXPECT_EQ(own()->endpoints(), 6U);
}

TEST_F(RepositoryTest, AMirrorThatServesWrongBytesIsPassedOver) {
  FakeServer wrong(answering(200, R"({"schemaVersion":2})", kManifestHeaders));
  FakeServer good(serve_manifest);
  set_hosts(good.url(), {wrong.url()});
  EXPECT_EQ(own()->document(kDigest)->bytes, kManifest);
  set_hosts(wrong.url());
  const auto document = own()->document(kDigest);
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().error.code, Code::kFailedPrecondition);
  EXPECT_THAT(document.error().error.message, HasSubstr(kDigest));
  EXPECT_THAT(document.error().error.message, HasSubstr(sha256(R"({"schemaVersion":2})").to_string()));
}

TEST_F(RepositoryTest, TheAnnouncedDigestMustBeTheContents) {
  FakeServer server(answering(200, kManifest, {{"Docker-Content-Digest", sha256("other").to_string()}}));
  set_hosts(server.url());
  EXPECT_EQ(own()->document("v1").error().error.code, Code::kFailedPrecondition);
}

TEST_F(RepositoryTest, TheMostTellingRefusalIsPassedOn) {
  FakeServer missing(answering(404, R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"hunter2"}]})"));
  FakeServer broken(answering(503));
  set_hosts(broken.url(), {missing.url()});
  const auto document = own()->document("v1");
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().status, 404);
  EXPECT_EQ(document.error().error.code, Code::kNotFound);
  EXPECT_THAT(document.error().error.message, HasSubstr("MANIFEST_UNKNOWN"));
  EXPECT_THAT(document.error().error.message, Not(HasSubstr("hunter2")));
  EXPECT_THAT(document.error().body, HasSubstr("MANIFEST_UNKNOWN"));
  EXPECT_EQ(broken.requests().size(), 3U) << "the last endpoint is retried";
  EXPECT_EQ(missing.requests().size(), 1U);
}

TEST_F(RepositoryTest, RetryAfterIsHonouredWhenShortAndBelievedWhenLong) {
  std::atomic<int> asked = 0;
  FakeServer soon([&](const FakeRequest& request, FakeConnection& connection) {
    if (++asked == 1) {
      connection.respond(request, 429, {}, {{"Retry-After", "0"}});
    } else {
      serve_manifest(request, connection);
    }
  });
  set_hosts(soon.url());
  EXPECT_TRUE(own()->document("v1"));
  FakeServer later(answering(429, R"({"errors":[{"code":"TOOMANYREQUESTS"}]})", {{"Retry-After", "600"}}));
  set_hosts(later.url());
  const auto document = own()->document("v1");
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().status, 429);
  EXPECT_EQ(document.error().headers.get("Retry-After"), "600");
  EXPECT_EQ(document.error().error.code, Code::kResourceExhausted);
  EXPECT_EQ(later.requests().size(), 1U);
}

TEST_F(RepositoryTest, AGiantManifestIsCutOff) {
  FakeServer server([](const FakeRequest&, FakeConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    const std::string chunk(1U << 20U, ' ');
    while (connection.write(chunk)) continue;
    connection.close();
  });
  set_hosts(server.url());
  const auto document = own()->document("v1");
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().error.code, Code::kResourceExhausted);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(RepositoryTest, SmallBlobsAreBoundedAndChecked) {
  FakeServer server(answering(200, "0123456789"));
  set_hosts(server.url());
  EXPECT_EQ(own()->small_blob(sha256("0123456789"), 10).value(), "0123456789");
  EXPECT_EQ(own()->small_blob(sha256("0123456789"), 9).error().code, Code::kResourceExhausted);
  EXPECT_EQ(own()->small_blob(sha256("other"), 100).error().code, Code::kFailedPrecondition);
}

TEST_F(RepositoryTest, TheCallersHeaderIsSentAsItIsAndNothingOfTheDaemons) {
  TokenRegistry registry;
  set_hosts(registry.server.url());
  set_login(registry.server.host(), "user:hunter2");
  const auto anonymous = caller("")->document("v1");
  ASSERT_FALSE(anonymous);
  EXPECT_EQ(anonymous.error().status, 401);
  EXPECT_EQ(anonymous.error().headers.get("WWW-Authenticate"), registry.challenge());
  EXPECT_EQ(registry.issued, 0) << "no token is fetched for a caller";
  ASSERT_TRUE(own()->document("v1"));
  ASSERT_FALSE(caller("")->document("v1")) << "the daemon's own token is not the caller's";
  const auto repository = caller("Bearer t1");
  ASSERT_TRUE(repository->document("v1"));
  EXPECT_EQ(registry.server.requests().back().header("Authorization"), "Bearer t1");
  EXPECT_EQ(repository->blob_request(sha256("x"), 0)->headers.get("Authorization"), "Bearer t1");
  EXPECT_EQ(repository->reauthorize(0, registry.challenge(), "Bearer t1").error().code, Code::kUnauthenticated);
  EXPECT_FALSE(caller("", "team/other")->blob_request(sha256("x"), 0)->headers.has("Authorization"));
  EXPECT_EQ(registry.issued, 1);
}

TEST_F(RepositoryTest, TheCallersHeaderGoesToTheRegistryAndNotToItsMirrors) {
  FakeServer mirror(answering(401, {}, {{"WWW-Authenticate", "Basic realm=\"phish\""}}));
  FakeServer server(answering(404));
  set_hosts(server.url(), {mirror.url(), server.url("/proxy")});
  const auto document = caller("Basic secret")->document("v1");
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().status, 404) << "a mirror's challenge is not the caller's to answer";
  EXPECT_FALSE(mirror.requests().at(0).has("Authorization"));
  for (const auto& request : server.requests()) EXPECT_EQ(request.header("Authorization"), "Basic secret");
  EXPECT_EQ(server.requests().at(0).target, "/proxy" + kPath);
}

TEST_F(RepositoryTest, AHeaderOfTheFileIsNotLentToACaller) {
  FakeServer server(serve_manifest);
  set_hosts(server.url());
  std::ofstream(dir_.path() / "certs.d" / kRegistry / "hosts.toml", std::ios::app)
      << "[header]\nauthorization = \"Basic own\"\nX-Other = \"1\"\n";
  ASSERT_TRUE(caller("")->document("v1"));
  EXPECT_FALSE(server.requests().back().has("Authorization"));
  EXPECT_EQ(server.requests().back().header("X-Other"), "1");
  ASSERT_TRUE(own()->document("v1"));
  EXPECT_EQ(server.requests().back().header("Authorization"), "Basic own");
}

TEST_F(RepositoryTest, ALoopbackRegistryIsTriedWithAndWithoutTls) {
  FakeServer plain(serve_manifest);
  const auto repository = registries_.open(plain.host(), "team/app", Access{});
  ASSERT_TRUE(repository->document("v1"));
  EXPECT_EQ(plain.requests().back().target, "/v2/team/app/manifests/v1") << "no ns for the registry itself";
  EXPECT_TRUE(repository->blob_request(sha256("x"), 0)->url.starts_with("http://"));
  FakeServer tls(FakeServer::Options{test::make_certificate(), {}}, serve_manifest);
  ASSERT_TRUE(registries_.open(tls.host(), "team/app", Access{})->document("v1"));
}

TEST_F(RepositoryTest, TrustsTheAuthorityTheFileNames) {
  const auto certificate = test::make_certificate();
  FakeServer server(FakeServer::Options{certificate, {}}, serve_manifest);
  set_hosts(server.url());
  const auto untrusted = own()->document("v1");
  ASSERT_FALSE(untrusted);
  EXPECT_EQ(untrusted.error().status, 0);
  dir_.write("certs.d/" + std::string(kRegistry) + "/ca.crt", certificate.certificate);
  std::ofstream(dir_.path() / "certs.d" / kRegistry / "hosts.toml", std::ios::app) << "ca = \"ca.crt\"\n";
  const auto document = own()->document("v1");
  EXPECT_TRUE(document) << document.error().error.message;
}

TEST_F(RepositoryTest, OtherRequestsStayInsideTheRepository) {
  FakeServer server(serve_manifest);
  set_hosts(server.url());
  const auto tags = caller("Bearer x")->request("GET", "tags/list?n=5", 0);
  ASSERT_TRUE(tags);
  EXPECT_EQ(tags->url, server.url("/v2/team/app/tags/list?n=5&ns=registry.test"));
  EXPECT_EQ(tags->headers.get("Authorization"), "Bearer x");
  EXPECT_EQ(caller("")->request("HEAD", "blobs/" + kDigest, 0)->method, "HEAD");
  for (const char* path :
       {"", "/", "../other/tags/list", "tags/../../x", "tags//list", "./x", "%2e%2e/x", "a b", "a#b"}) {
    EXPECT_FALSE(caller("")->request("GET", path, 0)) << path;
  }
  EXPECT_EQ(caller("")->request("DELETE", "tags/list", 0).error().code, Code::kUnimplemented);
  EXPECT_EQ(caller("")->request("GET", "tags/list", 1).error().code, Code::kNotFound);
}

TEST_F(RepositoryTest, BadNamesAndBrokenSettingsAreRefusedEverywhere) {
  EXPECT_EQ(own()->document("-bad").error().error.code, Code::kInvalidArgument);
  EXPECT_EQ(own()->document("sha256:12").error().error.code, Code::kInvalidArgument);
  EXPECT_EQ(own("../x")->document("v1").error().error.code, Code::kInvalidArgument);
  EXPECT_EQ(caller("a\r\nb")->document("v1").error().error.code, Code::kInvalidArgument);
  set_hosts("ftp://x");
  const auto repository = own();
  EXPECT_EQ(repository->endpoints(), 1U);
  EXPECT_THAT(repository->blob_request(sha256("x"), 0).error().message, HasSubstr("hosts.toml:1"));
  EXPECT_THAT(repository->document("v1").error().error.message, HasSubstr("hosts.toml:1"));
}

TEST_F(RepositoryTest, CapabilitiesDecideWhoIsAsked) {
  FakeServer pull_only(serve_manifest);
  FakeServer server(serve_manifest);
  set_hosts(server.url(), {pull_only.url()});
  std::ofstream(dir_.path() / "certs.d" / kRegistry / "hosts.toml", std::ios::app) << "capabilities = [\"pull\"]\n";
  ASSERT_TRUE(own()->document("v1"));
  EXPECT_TRUE(pull_only.requests().empty());
  ASSERT_TRUE(own()->document(kDigest));
  EXPECT_EQ(pull_only.requests().size(), 1U);
}

}  // namespace
}  // namespace paceline::registry
