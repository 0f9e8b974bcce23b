#include "plugin/registry/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/unit/registry/registry_fixture.h"

namespace paceline::registry {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class CredentialsTest : public RegistryTest {
 protected:
  void config(const nlohmann::json& content) { dir_.write("config.json", content.dump()); }
  void helper(const std::string& name, const std::string& script) {
    const auto path = dir_.write("docker-credential-" + name, "#!/bin/sh\n" + script);
    fs::permissions(path, fs::perms::owner_all);
  }
  Credential find(const std::string& host) {
    auto found = credentials_.find(host);
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(Credential{});
  }
};

TEST(Base64, RoundTripsAndRefuses) {
  for (const std::string& text : {std::string(), std::string("a"), std::string("ab"), std::string("abc"),
                                  std::string("\0\xff\x80", 3), std::string("user:pass")}) {
    EXPECT_EQ(base64_decode(base64_encode(text)), text);
  }
  EXPECT_EQ(base64_encode("user:pass"), "dXNlcjpwYXNz");
  EXPECT_EQ(base64_decode("dXNlcjpwYXNzMQ"), "user:pass1");
  EXPECT_FALSE(base64_decode("not base64!"));
  EXPECT_FALSE(base64_decode("abcde"));
}

TEST_F(CredentialsTest, AMissingFileIsFine) { EXPECT_TRUE(find("ghcr.io").empty()); }

TEST_F(CredentialsTest, ReadsEveryKindOfEntry) {
  config({{"auths",
           {{"a.test", {{"auth", base64_encode("user:pa:ss")}}},
            {"https://b.test/v2/", {{"username", "bob"}, {"password", "secret"}}},
            {"c.test", {{"auth", base64_encode("00000000:")}, {"identitytoken", "identity"}}},
            {"d.test:5000", {{"registrytoken", "bearer"}}},
            {"https://index.docker.io/v1/", {{"auth", base64_encode("hub:pw")}}}}}});
  EXPECT_EQ(find("a.test").password, Secret("pa:ss"));
  EXPECT_EQ(find("b.test").username, "bob");
  EXPECT_EQ(find("c.test").identity_token, Secret("identity"));
  EXPECT_EQ(find("d.test:5000").registry_token, Secret("bearer"));
  EXPECT_TRUE(find("d.test").empty());
  EXPECT_EQ(find("registry-1.docker.io").username, "hub");
  EXPECT_EQ(find("docker.io").username, "hub");
  EXPECT_TRUE(find("ghcr.io").empty());
}

TEST_F(CredentialsTest, ReadsAChangedFileAgain) {
  set_login("a.test", "one:1");
  EXPECT_EQ(find("a.test").username, "one");
  set_login("a.test", "two:22");
  EXPECT_EQ(find("a.test").username, "two");
  fs::remove(dir_.path() / "config.json");
  EXPECT_TRUE(find("a.test").empty());
}

TEST_F(CredentialsTest, AMalformedFileIsNamedButNotQuoted) {
  dir_.write("config.json", "{\"auths\": {\"a.test\": {\"password\": \"hunter2\" oops}}}");
  const auto broken = credentials_.find("a.test");
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("config.json is not valid JSON at line 1"));
  EXPECT_THAT(broken.error().message, Not(HasSubstr("hunter2")));
  config({{"auths", {{"a.test", {{"auth", "!!hunter2!!"}}}}}});
  const auto undecodable = credentials_.find("a.test");
  ASSERT_FALSE(undecodable);
  EXPECT_THAT(undecodable.error().message, Not(HasSubstr("hunter2")));
}

TEST_F(CredentialsTest, AsksTheHelperThatIsNamedForTheRegistry) {
  helper("one",
         "read server; test \"$1\" = get || exit 9; echo "
         "\"{\\\"Username\\\":\\\"$server\\\",\\\"Secret\\\":\\\"s1\\\"}\"");
  helper("all", "cat > /dev/null; echo '{\"Username\":\"<token>\",\"Secret\":\"identity\"}'");
  config({{"credsStore", "all"}, {"credHelpers", {{"a.test", "one"}}}});
  EXPECT_EQ(find("a.test").username, "a.test");
  EXPECT_EQ(find("a.test").password, Secret("s1"));
  EXPECT_EQ(find("b.test").identity_token, Secret("identity"));
}

TEST_F(CredentialsTest, TheHelperLearnsDockerHubsOldName) {
  helper("hub", "read server; echo \"{\\\"Username\\\":\\\"$server\\\",\\\"Secret\\\":\\\"s\\\"}\"");
  config({{"credsStore", "hub"}});
  EXPECT_EQ(find("registry-1.docker.io").username, "https://index.docker.io/v1/");
}

TEST_F(CredentialsTest, KeepsAHelpersAnswerForAWhile) {
  helper(
      "count",
      "cd \"${0%/*}\"; echo x >> runs; echo \"{\\\"Username\\\":\\\"u\\\",\\\"Secret\\\":\\\"$(wc -l < runs)\\\"}\"");
  config({{"credsStore", "count"}});
  EXPECT_EQ(find("a.test").password, Secret("1"));
  EXPECT_EQ(find("a.test").password, Secret("1"));
  clock_.advance(std::chrono::minutes(3));
  EXPECT_EQ(find("a.test").password, Secret("2"));
  credentials_.forget("a.test");
  EXPECT_EQ(find("a.test").password, Secret("3"));
}

TEST_F(CredentialsTest, AHelperThatKnowsNothingLeavesTheFileToAnswer) {
  helper("none", "echo 'credentials not found in native keychain'; exit 1");
  config({{"credsStore", "none"}, {"auths", {{"a.test", {{"auth", base64_encode("file:pw")}}}}}});
  EXPECT_EQ(find("a.test").username, "file");
  EXPECT_TRUE(find("b.test").empty());
}

TEST_F(CredentialsTest, ABadHelperIsReportedWithoutItsOutput) {
  const std::pair<std::string, std::string> cases[] = {
      {"echo hunter2; echo hunter2 >&2; exit 3", "exit status 3"},
      {"echo hunter2", "not valid JSON"},
      {"kill -9 $$", "signal 9"},
      {"exec cat /dev/zero", "256 KiB"},
  };
  config({{"credsStore", "bad"}});
  for (const auto& [script, reason] : cases) {
    helper("bad", script);
    const auto found = credentials_.find("a.test");
    ASSERT_FALSE(found) << script;
    EXPECT_THAT(found.error().message, HasSubstr("docker-credential-bad"));
    EXPECT_THAT(found.error().message, HasSubstr(reason));
    EXPECT_THAT(found.error().message, Not(HasSubstr("hunter2")));
  }
}

TEST_F(CredentialsTest, AHelperThatDoesNotAnswerIsKilled) {
  CredentialStore impatient({dir_.path() / "config.json"},
                            CredentialHelper(dir_.path().string(), std::chrono::milliseconds(50)), clock_);
  config({{"credsStore", "slow"}});
  for (const std::string script : {"echo hunter2; exec sleep 60", "sleep 60 & sleep 60", "exec >&-; exec sleep 60"}) {
    helper("slow", script);
    const auto found = impatient.find("a.test");
    ASSERT_FALSE(found) << script;
    EXPECT_THAT(found.error().message, HasSubstr("did not answer"));
    EXPECT_THAT(found.error().message, Not(HasSubstr("hunter2")));
  }
}

TEST_F(CredentialsTest, AChildTheHelperLeavesBehindDoesNotDelayItsAnswer) {
  helper("fork", "sleep 60 & echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
  config({{"credsStore", "fork"}});
  EXPECT_EQ(find("a.test").username, "u");
}

TEST_F(CredentialsTest, RefusesAHelperThatIsNotThereOrNoName) {
  config({{"credsStore", "missing"}});
  EXPECT_THAT(credentials_.find("a.test").error().message, HasSubstr("not on the daemon's PATH"));
  config({{"credsStore", "../../bin/sh"}});
  EXPECT_EQ(credentials_.find("a.test").error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace paceline::registry
