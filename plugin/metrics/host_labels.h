// Bounds the values of the `registry` label: the first `limit` hosts keep their names, all later ones share `other`.
// An image reference is anybody's to choose, and each new label value costs a scraper memory for good.
// Thread rule: one thread at a time.
#pragma once

#include <cstddef>
#include <set>
#include <string>

namespace paceline::metrics {

class HostLabels {
 public:
  explicit HostLabels(std::size_t limit) : limit_(limit) {}
  /// The same answer for the same host for as long as this lives.
  const std::string& label(const std::string& host);

 private:
  const std::size_t limit_;
  std::set<std::string> named_;
};

}  // namespace paceline::metrics
