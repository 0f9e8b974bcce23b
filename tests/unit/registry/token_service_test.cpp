#include "plugin/registry/token_service.h"

#include <latch>
#include <thread>

#include "plugin/base/text.h"
#include "tests/unit/registry/registry_fixture.h"

namespace paceline::registry {
namespace {

using std::chrono::seconds;
using test::FakeConnection;
using test::FakeRequest;
using test::FakeServer;
using testing::HasSubstr;

class TokenServiceTest : public RegistryTest {
 protected:
  static Challenge challenge(const std::string& realm, const std::string& scope = "") {
    Challenge out{"bearer", {{"realm", realm}, {"service", "my service"}}};
    if (!scope.empty()) out.parameters["scope"] = scope;
    return out;
  }
  static Endpoint plain() { return endpoint_of("http://registry.test", false).value(); }

  Result<Secret> get(const std::string& realm, const Credential& credential = {}) {
    return tokens_.token(challenge(realm), "team/app", credential, plain());
  }

  const Credential login_{"user", Secret("hunter2"), {}, {}};
};

TEST_F(TokenServiceTest, AsksForPullOnlyAndKeepsTheTokenUntilShortlyBeforeItsEnd) {
  std::atomic<int> issued = 0;
  FakeServer server([&](const FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, R"({"token":"t)" + std::to_string(++issued) + R"(","expires_in":100})");
  });
  EXPECT_EQ(get(server.url("/token")).value(), Secret("t1"));
  EXPECT_EQ(server.requests().at(0).target, "/token?service=my%20service&scope=repository%3Ateam%2Fapp%3Apull");
  EXPECT_FALSE(server.requests().at(0).has("Authorization"));
  clock_.advance(seconds(89));
  EXPECT_EQ(get(server.url("/token")).value(), Secret("t1"));
  clock_.advance(seconds(1));
  EXPECT_EQ(get(server.url("/token")).value(), Secret("t2"));
  EXPECT_EQ(get(server.url("/token"), login_).value(), Secret("t3")) << "other credentials, other token";
  EXPECT_EQ(server.requests().at(2).header("Authorization"), "Basic " + base64_encode("user:hunter2"));
}

TEST_F(TokenServiceTest, DefaultsToSixtySecondsAndHonoursIssuedAt) {
  std::atomic<int> issued = 0;
  std::string extra;
  FakeServer server([&](const FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, R"({"access_token":"t)" + std::to_string(++issued) + "\"" + extra + "}");
  });
  EXPECT_EQ(get(server.url()).value(), Secret("t1"));
  clock_.advance(seconds(49));
  EXPECT_EQ(get(server.url()).value(), Secret("t1"));
  clock_.advance(seconds(1));
  const auto then = std::chrono::system_clock::now() - seconds(200);
  extra = R"(,"expires_in":300,"issued_at":")" + format_rfc3339(then) + "\"";
  EXPECT_EQ(get(server.url()).value(), Secret("t2"));
  clock_.advance(seconds(95));
  EXPECT_EQ(get(server.url()).value(), Secret("t3")) << "100 s were left, less the margin";
}

TEST_F(TokenServiceTest, ExchangesAnIdentityTokenByPost) {
  FakeServer server([&](const FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, R"({"access_token":"t"})");
  });
  const Credential credential{"", {}, Secret("id/ent+ity"), {}};
  EXPECT_EQ(get(server.url("/oauth2"), credential).value(), Secret("t"));
  const auto request = server.requests().at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_THAT(request.body, HasSubstr("grant_type=refresh_token"));
  EXPECT_THAT(request.body, HasSubstr("refresh_token=id%2Fent%2Bity"));
  EXPECT_THAT(request.body, HasSubstr("scope=repository%3Ateam%2Fapp%3Apull"));
  EXPECT_FALSE(request.has("Authorization"));
}

TEST_F(TokenServiceTest, TakesTheRegistrysNamesButNotItsActions) {
  FakeServer server([&](const FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, R"({"token":"t"})");
  });
  const auto wanted =
      challenge(server.url(), "repository:proxy/team/app:pull,push,delete registry:catalog:* repository:../x:pull");
  ASSERT_TRUE(tokens_.token(wanted, "team/app", {}, plain()));
  EXPECT_EQ(server.requests().at(0).target, "/?service=my%20service&scope=repository%3Aproxy%2Fteam%2Fapp%3Apull");
}

TEST_F(TokenServiceTest, FetchesOnceForAllWhoAskMeanwhile) {
  std::latch asked(1);
  FakeServer server([&](const FakeRequest& request, FakeConnection& connection) {
    asked.count_down();
    connection.wait(std::chrono::milliseconds(50));
    connection.respond(request, 200, R"({"token":"t"})");
  });
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { right += get(server.url()).value_or(Secret()) == Secret("t"); });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 8);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(TokenServiceTest, RetriesABadMomentButNotARefusal) {
  std::atomic<int> asked = 0;
  FakeServer flaky([&](const FakeRequest& request, FakeConnection& connection) {
    if (++asked < 3) {
      connection.respond(request, 503, "later");
    } else {
      connection.respond(request, 200, R"({"token":"t"})");
    }
  });
  EXPECT_TRUE(get(flaky.url()));
  FakeServer refusing([&](const FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 401, "wrong password hunter2");
  });
  const auto refused = get(refusing.url(), login_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnauthenticated);
  EXPECT_THAT(refused.error().message, Not(HasSubstr("hunter2")));
  EXPECT_EQ(refusing.requests().size(), 1U);
}

TEST_F(TokenServiceTest, RefusesBadAnswers) {
  for (const std::string& body : {std::string("<html>login</html>"), std::string("{}"), std::string("[]"),
                                  std::string(R"({"token":5})"), std::string(R"({"token":"a\r\nX-Evil: 1"})"),
                                  R"({"token":")" + std::string(100'000, 'x') + "\"}", std::string(1U << 20U, ' ')}) {
    FakeServer server(
        [&](const FakeRequest& request, FakeConnection& connection) { connection.respond(request, 200, body); });
    const auto token = get(server.url());
    ASSERT_FALSE(token) << body.substr(0, 40);
    EXPECT_THAT(token.error().message, HasSubstr("token service"));
  }
}

TEST_F(TokenServiceTest, SendsCredentialsOnlyWhereTheLineIsNoMoreOpenThanTheRegistrys) {
  const Endpoint secure = endpoint_of("https://registry.test", false).value();
  const auto open_line = tokens_.token(challenge("http://auth.invalid/token"), "team/app", login_, secure);
  ASSERT_FALSE(open_line);
  EXPECT_THAT(open_line.error().message, HasSubstr("not on https"));
  for (const char* realm : {"ftp://auth.invalid/", "file:///etc/passwd", "auth", "https://u:hunter2@auth.invalid/"}) {
    const auto token = tokens_.token(challenge(realm), "team/app", login_, secure);
    ASSERT_FALSE(token) << realm;
    EXPECT_EQ(token.error().code, Code::kUnauthenticated);
    EXPECT_THAT(token.error().message, Not(HasSubstr("hunter2")));
  }
}

TEST_F(TokenServiceTest, ARefusedTokenIsNotHandedOutAgain) {
  std::atomic<int> issued = 0;
  FakeServer server([&](const FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, R"({"token":"t)" + std::to_string(++issued) + R"(","expires_in":3600})");
  });
  ASSERT_TRUE(get(server.url()));
  EXPECT_EQ(tokens_.refuse("t1"), TokenService::Refused::kFresh);
  ASSERT_EQ(get(server.url()).value(), Secret("t2"));
  clock_.advance(seconds(60));
  EXPECT_EQ(tokens_.refuse("t2"), TokenService::Refused::kStale);
  EXPECT_EQ(tokens_.refuse("t2"), TokenService::Refused::kStale);
  EXPECT_EQ(get(server.url()).value(), Secret("t3"));
}

}  // namespace
}  // namespace paceline::registry
