#include "plugin/mirror/route.h"

#include <gtest/gtest.h>

namespace paceline::mirror {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST(Route, Ping) {
  EXPECT_EQ(parse_route("/v2/")->kind, Route::Kind::kPing);
  EXPECT_EQ(parse_route("/v2")->kind, Route::Kind::kPing);
  EXPECT_EQ(parse_route("/v2/?ns=docker.io")->kind, Route::Kind::kPing);
}

TEST(Route, Manifests) {
  auto route = parse_route("/v2/library/redis/manifests/7.2?ns=docker.io");
  ASSERT_TRUE(route);
  EXPECT_EQ(route->kind, Route::Kind::kManifest);
  EXPECT_EQ(route->registry, "docker.io");
  EXPECT_EQ(route->repository, "library/redis");
  EXPECT_EQ(route->object, "7.2");

  route = parse_route("/v2/a/manifests/" + kDigest + "?ns=localhost%3A5000");
  ASSERT_TRUE(route);
  EXPECT_EQ(route->registry, "localhost:5000");
  EXPECT_EQ(route->object, kDigest);

  route = parse_route("/v2/a/manifests/sha256%3A" + std::string(64, 'b') + "?ns=ghcr.io");
  ASSERT_TRUE(route);
  EXPECT_EQ(route->object, "sha256:" + std::string(64, 'b'));
}

TEST(Route, RepositoriesMayHoldTheApisWords) {
  const auto route = parse_route("/v2/manifests/blobs/tags/manifests/v1?ns=ghcr.io");
  ASSERT_TRUE(route);
  EXPECT_EQ(route->repository, "manifests/blobs/tags");
}

TEST(Route, BlobsAndListsKeepTheirQueryButNs) {
  auto route = parse_route("/v2/a/b/blobs/" + kDigest + "?ns=ghcr.io");
  ASSERT_TRUE(route);
  EXPECT_EQ(route->kind, Route::Kind::kBlob);
  EXPECT_EQ(route->path, "blobs/" + kDigest);

  route = parse_route("/v2/a/b/tags/list?n=10&ns=ghcr.io&last=v1");
  ASSERT_TRUE(route);
  EXPECT_EQ(route->kind, Route::Kind::kList);
  EXPECT_EQ(route->path, "tags/list?n=10&last=v1");

  route = parse_route("/v2/a/b/referrers/" + kDigest + "?ns=ghcr.io&artifactType=a%2Fb");
  ASSERT_TRUE(route);
  EXPECT_EQ(route->path, "referrers/" + kDigest + "?artifactType=a%2Fb");
}

TEST(Route, NoRegistryIsNotFoundAndSaysWhy) {
  for (const auto* target : {"/v2/a/manifests/latest", "/v2/a/manifests/latest?", "/v2/a/manifests/latest?ns="}) {
    const auto route = parse_route(target);
    ASSERT_FALSE(route) << target;
    EXPECT_EQ(route.error().code, Code::kNotFound);
    EXPECT_NE(route.error().message.find("?ns=<registry>"), std::string::npos);
  }
}

TEST(Route, OtherPathsAreNotFound) {
  for (const auto* target :
       {"/", "", "*", "/v1/", "/v2/x", "/v2/a/b", "/v2//manifests/x?ns=a.io", "/v2/a/uploads/x?ns=a.io",
        "/v2/a/blobs/uploads/?ns=a.io", "/v2/a/tags/x?ns=a.io", "http://evil/v2/a/manifests/x?ns=a.io"}) {
    const auto route = parse_route(target);
    ASSERT_FALSE(route) << target;
    EXPECT_EQ(route.error().code, Code::kNotFound) << target;
  }
}

TEST(Route, HostileParts) {
  for (const std::string& target :
       {std::string("/v2/../manifests/x?ns=a.io"), std::string("/v2/a/%2e%2e/manifests/x?ns=a.io"),
        std::string("/v2/A/manifests/x?ns=a.io"), std::string("/v2/a/manifests/..?ns=a.io"),
        std::string("/v2/a/manifests/%00?ns=a.io"), std::string("/v2/a/manifests/x%2?ns=a.io"),
        std::string("/v2/a/manifests/x%zz?ns=a.io"), std::string("/v2/a/manifests/sha256:abc?ns=a.io"),
        std::string("/v2/a/manifests/x?ns=a.io/evil"), std::string("/v2/a/manifests/x?ns=user@a.io"),
        std::string("/v2/a/manifests/x?ns=a.io%0d%0aX:1"), std::string("/v2/a/manifests/x?ns=a.io&ns=b.io"),
        std::string("/v2/a/blobs/latest?ns=a.io"), std::string("/v2/a/referrers/x?ns=a.io"),
        "/v2/a/manifests/" + std::string(129, 'x') + "?ns=a.io",
        "/v2/" + std::string(300, 'a') + "/manifests/x?ns=a.io"}) {
    const auto route = parse_route(target);
    ASSERT_FALSE(route) << target;
    EXPECT_EQ(route.error().code, Code::kInvalidArgument) << target;
  }
}

}  // namespace
}  // namespace paceline::mirror
