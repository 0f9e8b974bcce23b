// What the mirror needs of registries and pulls: the seam at which tests put a fake. Any thread; may block.
#pragma once

#include <memory>
#include <string>

#include "plugin/pull/pull_manager.h"
#include "plugin/registry/repository.h"

namespace paceline::mirror {

class Upstream {
 public:
  virtual ~Upstream() = default;
  virtual std::shared_ptr<registry::Repository> open(const std::string& registry, const std::string& repository,
                                                     registry::Access access) = 0;
  /// The manifest; by the time it is answered, its blobs are being fetched.
  virtual tl::expected<registry::Document, registry::Refusal> document(
      const std::shared_ptr<registry::Repository>& repository, const std::string& object) = 0;
  /// The same for one that is at hand, answered a moment ago to the same rights.
  virtual void asked_again(const std::shared_ptr<registry::Repository>& repository, const std::string& object,
                           const registry::Document& document) = 0;
};

/// The real one; borrows both.
class ManagedUpstream final : public Upstream {
 public:
  ManagedUpstream(registry::Registries& registries, pull::PullManager& pulls)
      : registries_(registries), pulls_(pulls) {}
  std::shared_ptr<registry::Repository> open(const std::string& registry, const std::string& repository,
                                             registry::Access access) override {
    return registries_.open(registry, repository, std::move(access));
  }
  tl::expected<registry::Document, registry::Refusal> document(const std::shared_ptr<registry::Repository>& repository,
                                                               const std::string& object) override {
    return pulls_.document(repository, object);
  }
  void asked_again(const std::shared_ptr<registry::Repository>& repository, const std::string& object,
                   const registry::Document& document) override {
    pulls_.asked_again(repository, object, document);
  }

 private:
  registry::Registries& registries_;
  pull::PullManager& pulls_;
};

}  // namespace paceline::mirror
