// Dropping hidden blobs, and layers unpacked from them, on request: by digest, by image, or all.
// Thread rule: evict() does disk I/O: call it from a worker.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "plugin/api/pull_control.h"
#include "plugin/base/digest.h"
#include "plugin/base/result.h"
#include "plugin/layers/kept_layers.h"
#include "plugin/oci/reference.h"
#include "plugin/store/store.h"

namespace paceline::api {

struct EvictionReport {
  std::uint64_t evicted_blobs = 0;
  std::uint64_t evicted_bytes = 0;
  std::uint64_t kept_blobs = 0;
  std::uint64_t evicted_layers = 0;  ///< Unpacked ones.
  std::uint64_t evicted_layer_bytes = 0;
  std::vector<std::pair<std::string, Error>> failures;  ///< Target, why not.
};

class Eviction {
 public:
  /// `kept` may be null.
  Eviction(store::Store& store, const PullControl& pulls, layers::KeptLayers* kept)
      : store_(store), pulls_(pulls), kept_(kept) {}

  void all();
  /// A digest, or an image.
  void target(const std::string& text);
  [[nodiscard]] const EvictionReport& report() const { return report_; }

 private:
  void digest(const std::string& text, const Digest& digest);
  void image(const std::string& text, const oci::Reference& reference);
  Result<std::set<Digest>> blobs_of(const oci::Reference& reference) const;
  void add_document(const Digest& digest, int depth, std::set<Digest>& found) const;
  /// Of an image or of everything: what may not go is kept.
  void drop(const Digest& digest);
  void drop_layers(const std::optional<Digest>& blob);

  store::Store& store_;
  const PullControl& pulls_;
  layers::KeptLayers* const kept_;
  EvictionReport report_;
};

}  // namespace paceline::api
