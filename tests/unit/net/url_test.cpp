#include "plugin/net/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paceline::net {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(HostKey, HasHostInLowerCaseAndThePortAlways) {
  EXPECT_EQ(host_key("https://Registry.Example/v2/").value(), "registry.example:443");
  EXPECT_EQ(host_key("http://registry.example").value(), "registry.example:80");
  EXPECT_EQ(host_key("http://127.0.0.1:5000/v2/a?b=c").value(), "127.0.0.1:5000");
  EXPECT_EQ(host_key("https://[::1]:5000/").value(), "[::1]:5000");
  EXPECT_EQ(host_key("HTTPS://a.example:443/").value(), "a.example:443");
}

TEST(HostKey, RefusesWhatIsNotAPlainHttpUrl) {
  for (const std::string& url :
       {std::string(), std::string("registry.example/v2"), std::string("ftp://a/"), std::string("file:///etc/passwd"),
        std::string("http://"), std::string("http://a b/"), std::string("http://a:99999/"),
        std::string("http://a:port/"), std::string("http://a\r\nHost: b/"), std::string("http://a/\r\nX: y"),
        std::string("http://a/\0b", 11), std::string("http://user:pass@a/"), std::string("http://user@a/"),
        std::string("http://[::1/"), "http://a/" + std::string(100000, 'x')}) {
    const Result<std::string> key = host_key(url);
    ASSERT_FALSE(key) << url.substr(0, 80) << " gave " << *key;
    EXPECT_EQ(key.error().code, Code::kInvalidArgument);
    EXPECT_THAT(key.error().message, Not(HasSubstr("pass@")));
  }
}

TEST(ResolveRedirect, JoinsRelativeAndAbsoluteLocations) {
  const std::string base = "https://r.example/v2/a/blobs/sha256:1?ns=x";
  EXPECT_EQ(resolve_redirect(base, "/other?q=1").value(), "https://r.example/other?q=1");
  EXPECT_EQ(resolve_redirect(base, "next").value(), "https://r.example/v2/a/blobs/next");
  EXPECT_EQ(resolve_redirect(base, "//cdn.example/x").value(), "https://cdn.example/x");
  EXPECT_EQ(resolve_redirect(base, " https://cdn.example:8443/x#part ").value(), "https://cdn.example:8443/x");
  EXPECT_EQ(resolve_redirect("http://r.example/", "https://cdn.example/x").value(), "https://cdn.example/x");
}

TEST(ResolveRedirect, LeavesASignatureUntouched) {
  const std::string signed_url =
      "https://cdn.example/a%2Fb/data?X-Amz-Signature=a%2Bb%3d&sig=x+y%20z==&se=2026-01-01T00%3A00%3A00Z";
  EXPECT_EQ(resolve_redirect("https://r.example/", signed_url).value(), signed_url);
}

TEST(ResolveRedirect, RefusesWhatALyingRegistryCouldSend) {
  const std::string base = "https://r.example/v2/";
  EXPECT_EQ(resolve_redirect(base, "http://r.example/x").error().code, Code::kPermissionDenied);
  EXPECT_EQ(resolve_redirect(base, "file:///etc/shadow").error().code, Code::kInvalidArgument);
  EXPECT_EQ(resolve_redirect(base, "gopher://a/x").error().code, Code::kInvalidArgument);
  EXPECT_FALSE(resolve_redirect(base, "https://user:secret@cdn.example/x"));
  EXPECT_FALSE(resolve_redirect(base, ""));
  EXPECT_FALSE(resolve_redirect(base, "https://cdn.example/\r\nX-Evil: 1"));
  EXPECT_FALSE(resolve_redirect(base, std::string(70000, 'a')));
  EXPECT_FALSE(resolve_redirect("not a url", "https://cdn.example/x"));
}

TEST(ResolveRedirect, MessagesHoldNoSecret) {
  const Result<std::string> refused = resolve_redirect("https://r.example/", "http://cdn.example/x?sig=hidden");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("cdn.example:80"));
  EXPECT_THAT(refused.error().message, Not(HasSubstr("hidden")));
}

TEST(SameOrigin, ComparesSchemeHostAndPort) {
  EXPECT_TRUE(same_origin("https://a.example/x", "https://A.example:443/y?z"));
  EXPECT_FALSE(same_origin("https://a.example/", "http://a.example/"));
  EXPECT_FALSE(same_origin("https://a.example/", "https://a.example:8443/"));
  EXPECT_FALSE(same_origin("https://a.example/", "https://b.a.example/"));
  EXPECT_FALSE(same_origin("https://a.example/", "https://a.example.evil/"));
  EXPECT_FALSE(same_origin("", ""));
}

TEST(Redact, DropsQueryAndUserInfo) {
  EXPECT_EQ(redact("https://user:pw@cdn.example/a/b?sig=secret#frag"), "https://cdn.example/a/b");
  EXPECT_EQ(redact("http://r.example:5000/v2/"), "http://r.example:5000/v2/");
  EXPECT_EQ(redact("no url?sig=secret"), "(malformed URL)");
  EXPECT_EQ(redact(""), "(malformed URL)");
}

TEST(Encode, KeepsOnlyUnreservedCharacters) {
  EXPECT_EQ(encode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(encode("repository:a/b:pull,push &="), "repository%3Aa%2Fb%3Apull%2Cpush%20%26%3D");
  EXPECT_EQ(encode("\xc3\xa4\n"), "%C3%A4%0A");
  EXPECT_EQ(encode(std::string_view("\0", 1)), "%00");
  EXPECT_EQ(encode(""), "");
}

}  // namespace
}  // namespace paceline::net
