#include "plugin/status/pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace paceline::status {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr uid_t kStranger = 54'321;
constexpr uid_t kNamed = 4'711;

class PagesTest : public testing::Test {
 protected:
  mirror::Response ask(const std::string& target, std::optional<uid_t> user,
                       const std::string& host = "127.0.0.1:9436") {
    mirror::Request request;
    request.method = "GET";
    request.target = target;
    request.user = user;
    request.headers.set("Host", host);
    return pages_.answer(request);
  }
  Pages pages_{mirror::Callers({kNamed}), [] { return std::string(R"({"pulls":[]})"); }};
};

TEST_F(PagesTest, ThePageIsOneFileThatMayLoadNothing) {
  const auto page = ask("/", ::geteuid());
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.headers.get("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.headers.get("Cache-Control"), "no-store");
  EXPECT_THAT(page.body, HasSubstr("<title>Paceline</title>"));
  EXPECT_THAT(page.body, Not(HasSubstr("http")));
  EXPECT_THAT(page.body, Not(HasSubstr("innerHTML")));
  EXPECT_THAT(page.body, Not(HasSubstr("@NONCE@")));
  const std::string policy(page.headers.get("Content-Security-Policy"));
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  const auto begin = policy.find("'nonce-") + 7;
  const std::string nonce = policy.substr(begin, policy.find('\'', begin) - begin);
  EXPECT_THAT(page.body, HasSubstr("<script nonce=\"" + nonce + "\">"));
  EXPECT_NE(ask("/", 0).body, page.body) << "a nonce serves once";
}

TEST_F(PagesTest, TheStateIsJson) {
  const auto state = ask("/status.json?x", 0);
  EXPECT_EQ(state.headers.get("Content-Type"), "application/json");
  EXPECT_EQ(state.headers.get("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(state.body, R"({"pulls":[]})");
}

TEST_F(PagesTest, OnlyRootTheOwnUserAndThoseNamedSeeIt) {
  for (const auto* target : {"/", "/status.json"}) {
    EXPECT_EQ(ask(target, 0).status, 200);
    EXPECT_EQ(ask(target, kNamed).status, 200);
    for (const std::optional<uid_t> user : {std::optional<uid_t>(kStranger), std::optional<uid_t>()}) {
      const auto refused = ask(target, user);
      EXPECT_EQ(refused.status, 403);
      EXPECT_THAT(refused.body, HasSubstr("metrics.status_uids"));
      EXPECT_THAT(refused.body, Not(HasSubstr("pulls")));
    }
  }
}

TEST_F(PagesTest, AnotherHostsNameGetsNothing) {
  for (const auto* host : {"localhost", "localhost:9436", "127.0.0.1", "[::1]", "[::1]:8080"}) {
    EXPECT_EQ(ask("/status.json", 0, host).status, 200) << host;
  }
  for (const auto* host : {"evil.example", "evil.example:9436", "127.0.0.1.evil.example", "", "[::1"}) {
    EXPECT_EQ(ask("/status.json", 0, host).status, 400) << host;
  }
}

}  // namespace
}  // namespace paceline::status
