// Fakes of what stands behind the mirror.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/mirror/upstream.h"

namespace paceline::mirror {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return now_; }
  [[nodiscard]] WallTime wall() const override { return {}; }
  void advance(Duration by) { now_ += by; }

 private:
  TimePoint now_;
};

/// A repository whose endpoints are the URLs given; requests go there with the caller's Authorization.
class FakeRepository final : public registry::Repository {
 public:
  FakeRepository(std::string registry, std::string repository, registry::Access access,
                 std::vector<std::string> bases = {})
      : registry_(std::move(registry)),
        repository_(std::move(repository)),
        access_(std::move(access)),
        bases_(std::move(bases)) {}

  [[nodiscard]] const std::string& registry() const override { return registry_; }
  [[nodiscard]] const std::string& repository() const override { return repository_; }
  [[nodiscard]] const registry::Access& access() const override { return access_; }
  tl::expected<registry::Document, registry::Refusal> document(const std::string&) override {
    return tl::unexpected(registry::Refusal{});
  }
  Result<std::string> small_blob(const Digest&, std::size_t) override { return fail(Code::kUnimplemented, ""); }
  std::size_t endpoints() override { return bases_.size(); }
  Result<net::HttpRequest> blob_request(const Digest&, std::size_t) override { return fail(Code::kUnimplemented, ""); }
  Status reauthorize(std::size_t, const std::string&, const std::string&) override {
    return fail(Code::kUnauthenticated, "");
  }
  Result<net::HttpRequest> request(const std::string& method, const std::string& path, std::size_t index) override {
    net::HttpRequest request;
    request.method = method;
    request.url = bases_[index] + "/v2/" + repository_ + "/" + path;
    if (!access_.authorization.empty()) request.headers.set("Authorization", access_.authorization.reveal());
    return request;
  }

 private:
  const std::string registry_;
  const std::string repository_;
  const registry::Access access_;
  const std::vector<std::string> bases_;
};

class FakeUpstream final : public Upstream {
 public:
  using Documents = std::function<tl::expected<registry::Document, registry::Refusal>(registry::Repository&,
                                                                                      const std::string& object)>;

  std::shared_ptr<registry::Repository> open(const std::string& registry, const std::string& repository,
                                             registry::Access access) override {
    EXPECT_EQ(access.kind, registry::Access::Kind::kCaller);
    return std::make_shared<FakeRepository>(registry, repository, std::move(access), bases);
  }
  tl::expected<registry::Document, registry::Refusal> document(const std::shared_ptr<registry::Repository>& repository,
                                                               const std::string& object) override {
    ++asked;
    return documents(*repository, object);
  }
  void asked_again(const std::shared_ptr<registry::Repository>& /*repository*/, const std::string& /*object*/,
                   const registry::Document& /*document*/) override {
    ++asked_for_known;
  }

  std::vector<std::string> bases;
  Documents documents;
  std::atomic<int> asked = 0;
  std::atomic<int> asked_for_known = 0;
};

inline registry::Document make_document(const std::string& bytes) {
  return {.bytes = bytes, .media_type = "application/vnd.oci.image.manifest.v1+json", .digest = sha256(bytes)};
}

}  // namespace paceline::mirror
