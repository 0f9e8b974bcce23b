#include "plugin/metrics/endpoint.h"

#include <gtest/gtest.h>

#include "plugin/net/network_thread.h"

namespace paceline::metrics {
namespace {

class EndpointTest : public testing::Test {
 protected:
  EndpointTest() {
    auto started = Endpoint::start({.host = "127.0.0.1", .port = 0}, {.scrape =
                                                                          [this] {
                                                                            ++scrapes_;
                                                                            return std::string("a_total 1\n");
                                                                          },
                                                                      .status =
                                                                          [](const mirror::Request& request) {
                                                                            mirror::Response response;
                                                                            response.body =
                                                                                "status of " + request.target;
                                                                            return response;
                                                                          }});
    EXPECT_TRUE(started) << started.error().message;
    endpoint_ = std::move(*started);
  }

  auto ask(const std::string& target, const std::string& method = "GET") {
    net::HttpRequest request;
    request.method = method;
    request.url = "http://" + endpoint_->address().to_string() + target;
    auto answer = client_.fetch(request, 1024);
    EXPECT_TRUE(answer) << answer.error().message;
    return *answer;
  }

  std::atomic<int> scrapes_ = 0;
  std::unique_ptr<Endpoint> endpoint_;
  net::NetworkThread client_{net::NetworkOptions{}};
};

TEST_F(EndpointTest, MetricsAreTextExposition) {
  const auto answer = ask("/metrics?name=a");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.get("Content-Type"), "text/plain; version=0.0.4");
  EXPECT_EQ(answer.body, "a_total 1\n");
  EXPECT_EQ(ask("/metrics", "HEAD").status, 200);
}

TEST_F(EndpointTest, ReadyOnlyWhileTheServerServes) {
  EXPECT_EQ(ask("/healthz").status, 200);
  EXPECT_EQ(ask("/readyz").status, 503);
  endpoint_->set_ready(true);
  EXPECT_EQ(ask("/readyz").status, 200);
  endpoint_->set_ready(false);
  EXPECT_EQ(ask("/readyz").status, 503);
  EXPECT_EQ(ask("/healthz").status, 200);
  EXPECT_EQ(scrapes_, 0);
}

TEST_F(EndpointTest, StatusPagesAreItsHandlers) {
  EXPECT_EQ(ask("/").body, "status of /");
  EXPECT_EQ(ask("/status.json").body, "status of /status.json");
  EXPECT_EQ(ask("/", "POST").status, 405);
}

TEST_F(EndpointTest, RefusesEverythingElse) {
  for (const auto* target : {"/metrics/", "/v2/", "/metricsx", "/status.jsonx"})
    EXPECT_EQ(ask(target).status, 404) << target;
  for (const auto* method : {"POST", "DELETE"}) {
    const auto refused = ask("/metrics", method);
    EXPECT_EQ(refused.status, 405) << method;
    EXPECT_EQ(refused.headers.get("Allow"), "GET, HEAD");
  }
  EXPECT_EQ(scrapes_, 0);
}

TEST_F(EndpointTest, APortInUseIsAnErrorThatNamesIt) {
  const auto second = Endpoint::start(endpoint_->address(), {});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(endpoint_->address().to_string()), std::string::npos);
}

}  // namespace
}  // namespace paceline::metrics
