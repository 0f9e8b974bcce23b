#include "plugin/mirror/document_cache.h"

#include <gtest/gtest.h>

#include "tests/unit/mirror/fakes.h"

namespace paceline::mirror {
namespace {

using namespace std::chrono_literals;

FakeRepository repository(const std::string& name, const std::string& authorization) {
  return {"ghcr.io", name, {registry::Access::Kind::kCaller, Secret(authorization)}};
}

Answer refusal(int status) {
  registry::Refusal refused;
  refused.status = status;
  return tl::unexpected(refused);
}

TEST(DocumentCache, AnswersTagAndDigestForAFewSeconds) {
  FakeClock clock;
  DocumentCache cache(clock);
  auto alice = repository("app", "Bearer a");
  const auto document = make_document("{}");
  EXPECT_FALSE(cache.find(alice, "v1"));
  cache.insert(alice, "v1", document);
  EXPECT_EQ((*cache.find(alice, "v1"))->bytes, "{}");
  EXPECT_EQ((*cache.find(alice, document.digest.to_string()))->bytes, "{}");
  clock.advance(6s);
  EXPECT_FALSE(cache.find(alice, "v1"));
}

TEST(DocumentCache, NeverAnswersAnotherCallerOrRepository) {
  FakeClock clock;
  DocumentCache cache(clock);
  auto alice = repository("app", "Bearer a");
  cache.insert(alice, "v1", make_document("{}"));
  auto bob = repository("app", "Bearer b");
  auto nobody = repository("app", "");
  auto elsewhere = repository("other", "Bearer a");
  EXPECT_FALSE(cache.find(bob, "v1"));
  EXPECT_FALSE(cache.find(nobody, "v1"));
  EXPECT_FALSE(cache.find(elsewhere, "v1"));
  EXPECT_FALSE(cache.find(alice, "v2"));
}

TEST(DocumentCache, KeepsOnlyThrottlingAmongRefusalsAndOnlyForAMoment) {
  FakeClock clock;
  DocumentCache cache(clock);
  auto alice = repository("app", "");
  for (const int status : {0, 401, 403, 404, 500}) {
    cache.insert(alice, "v1", refusal(status));
    EXPECT_FALSE(cache.find(alice, "v1")) << status;
  }
  cache.insert(alice, "v1", refusal(429));
  EXPECT_EQ(cache.find(alice, "v1")->error().status, 429);
  clock.advance(1100ms);
  EXPECT_FALSE(cache.find(alice, "v1"));
}

TEST(DocumentCache, IsBounded) {
  FakeClock clock;
  DocumentCache cache(clock);
  auto alice = repository("app", "");
  const std::string large(4U << 20U, 'x');
  for (int i = 0; i < 8; ++i) cache.insert(alice, "v" + std::to_string(i), make_document(large + std::to_string(i)));
  EXPECT_FALSE(cache.find(alice, "v0"));
  EXPECT_TRUE(cache.find(alice, "v7"));
  for (int i = 0; i < 2000; ++i) cache.insert(alice, "w" + std::to_string(i), make_document(std::to_string(i)));
  EXPECT_FALSE(cache.find(alice, "v7"));
  EXPECT_TRUE(cache.find(alice, "w1999"));
}

}  // namespace
}  // namespace paceline::mirror
