// All pulls of the daemon: plans them, joins what is already in flight, follows them to their end.
//
// Thread rule: any thread but the network's. start_*() and document() may block for registry round trips; the rest do
// not. Everything handed to the constructor is borrowed and outlives the manager. Destroying it stops all pulls and
// keeps their partial downloads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/result.h"
#include "plugin/config/config.h"
#include "plugin/oci/platform.h"
#include "plugin/oci/reference.h"
#include "plugin/pull/pull_services.h"
#include "plugin/pull/snapshot.h"
#include "plugin/registry/repository.h"

namespace paceline::pull {

struct PrefetchRequest {
  oci::Reference image;
  std::optional<oci::Platform> platform;  ///< Absent: this machine's.
  bool pin = false;                       ///< Pin all its blobs under the image's name when done.
  std::optional<bool> unpack;             ///< Go on to unpacked layers; absent: as the configuration says.
};

class PullManager {
 public:
  explicit PullManager(const PullServices& services);
  ~PullManager();

  /// Queues a prefetch; answers its id at once. Joins (and answers the id of) an unfinished pull of the same image,
  /// platform and rights.
  std::string start_prefetch(const PrefetchRequest& request);

  /// The mirror's way in: gets a manifest or index upstream with the caller's rights, and before it answers has put
  /// every blob that the caller will ask for next into the flight table and started to fetch it: for a manifest its
  /// config and layers; for an index the manifest for this machine's platform.
  tl::expected<registry::Document, registry::Refusal> document(const std::shared_ptr<registry::Repository>& repository,
                                                               const std::string& object);

  /// The same for a document that the caller has been given a moment ago: what it will ask for next may be gone, or be
  /// wanted by somebody else. Blocks for no round trip.
  void asked_again(const std::shared_ptr<registry::Repository>& repository, const std::string& object,
                   const registry::Document& document);

  [[nodiscard]] std::vector<PullSnapshot> pulls() const;  ///< Newest first; finished ones are kept for a while.
  [[nodiscard]] std::optional<PullSnapshot> find(const std::string& id) const;
  Status cancel(const std::string& id);  ///< kNotFound; kFailedPrecondition when it is over.
  [[nodiscard]] std::vector<PathSnapshot> paths() const;

  /// Starts again what was under way when the daemon last stopped (pulls with the daemon's own rights only: a caller's
  /// token is not kept).
  void resume();
  /// New settings from a reload; pulls under way keep theirs.
  void reconfigure(const config::Config& config);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paceline::pull
