#include "plugin/net/proxy.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/support/fake_server.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/net/recorder.h"

namespace paceline::net {
namespace {

using test::FakeConnection;
using test::FakeRequest;
using test::FakeServer;

class ProxyEnvironment : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"}) {
      ::unsetenv(name);
    }
  }
  void TearDown() override { SetUp(); }
};

TEST_F(ProxyEnvironment, ReadsBothCasesLowerFirst) {
  ::setenv("HTTPS_PROXY", "http://upper:1", 1);
  ::setenv("HTTP_PROXY", "http://plain:2", 1);
  ::setenv("NO_PROXY", "internal.example,10.0.0.0/8", 1);
  NetworkOptions options = NetworkOptions::from_environment();
  EXPECT_EQ(options.https_proxy, "http://upper:1");
  EXPECT_EQ(options.http_proxy, "http://plain:2");
  EXPECT_EQ(options.no_proxy, "internal.example,10.0.0.0/8");
  ::setenv("https_proxy", "http://lower:3", 1);
  ::setenv("http_proxy", "", 1);  // Empty counts as not set.
  options = NetworkOptions::from_environment();
  EXPECT_EQ(options.https_proxy, "http://lower:3");
  EXPECT_EQ(options.http_proxy, "http://plain:2");
}

TEST(ProxyFor, ChoosesBySchemeAndNeverForLoopback) {
  NetworkOptions options;
  options.https_proxy = "http://secure:1";
  options.http_proxy = "http://plain:2";
  EXPECT_EQ(proxy_for(options, "https://r.example/"), "http://secure:1");
  EXPECT_EQ(proxy_for(options, "HTTPS://r.example/"), "http://secure:1");
  EXPECT_EQ(proxy_for(options, "http://r.example/"), "http://plain:2");
  EXPECT_EQ(proxy_for(options, "http://127.example.com/"), "http://plain:2");
  for (const char* url : {"http://localhost:5000/", "http://127.0.0.1:5000/", "https://127.1.2.3/", "http://[::1]:5/",
                          "http://registry.localhost/", "nonsense"}) {
    EXPECT_EQ(proxy_for(options, url), "") << url;
  }
}

TEST(Proxy, PlainRequestsNameTheWholeUrlAndNoProxyIsHonoured) {
  FakeServer proxy(
      [](const FakeRequest& request, FakeConnection& connection) { connection.respond(request, 200, "via proxy"); });
  NetworkOptions options;
  options.http_proxy = "http://" + proxy.host();
  options.no_proxy = "direct.invalid";
  NetworkThread thread(options);
  const auto proxied = thread.fetch(get("http://registry.invalid/v2/"), 100);
  ASSERT_TRUE(proxied) << proxied.error().message;
  EXPECT_EQ(proxied->body, "via proxy");
  EXPECT_EQ(proxy.requests().at(0).target, "http://registry.invalid/v2/");
  const auto direct = thread.fetch(get("http://direct.invalid/v2/"), 100);
  ASSERT_FALSE(direct);
  EXPECT_EQ(direct.error().code, Code::kUnavailable);
  EXPECT_EQ(proxy.requests().size(), 1U);
}

TEST(Proxy, TlsGoesThroughATunnelAndOnlyTheFinalHeadIsSeen) {
  const test::Certificate certificate = test::make_certificate({"DNS:registry.invalid"});
  FakeServer registry({.certificate = certificate, .client_ca = {}},
                      [](const FakeRequest& request, FakeConnection& connection) {
                        connection.respond(request, 200, "hello", {{"X-From", "registry"}});
                      });
  FakeServer proxy([&](const FakeRequest& request, FakeConnection& connection) {
    if (request.method != "CONNECT") {
      connection.respond(request, 400);
      return;
    }
    connection.write("HTTP/1.1 200 Connected\r\nX-From: proxy\r\n\r\n");
    connection.tunnel(registry.port());
  });
  const test::TempDir dir;
  NetworkOptions options;
  options.https_proxy = "http://" + proxy.host();
  NetworkThread thread(options);
  HttpRequest request = get("https://registry.invalid/v2/");
  request.tls.ca_files = {dir.write("ca.pem", certificate.certificate).string()};
  const Recording recording = run(thread, request);
  ASSERT_TRUE(recording.end.status) << recording.end.status.error().message;
  EXPECT_EQ(recording.heads, 1);
  EXPECT_EQ(recording.head.headers.get("X-From"), "registry");
  EXPECT_EQ(recording.head.headers.all("X-From").size(), 1U);
  EXPECT_EQ(recording.body, "hello");
  EXPECT_EQ(proxy.requests().at(0).target, "registry.invalid:443");
  EXPECT_FALSE(proxy.requests().at(0).has("Authorization"));
}

}  // namespace
}  // namespace paceline::net
