// The mirror's way in: what a container runtime asks for tells what it will want next. Before a manifest or an index is
// answered, every blob that the caller will ask for is in the flight table and being fetched: for a manifest its config
// and layers, for an index the manifest for this machine's platform.
// Thread rule: any thread; document() may block for registry round trips. Borrows what it is given.
#pragma once

#include <memory>
#include <string>

#include "plugin/base/worker_pool.h"
#include "plugin/pull/arms.h"
#include "plugin/pull/challenged_callers.h"
#include "plugin/pull/pull_list.h"
#include "plugin/pull/pull_runner.h"
#include "plugin/pull/pull_services.h"
#include "plugin/pull/settings.h"

namespace paceline::pull {

class MirrorPulls {
 public:
  using Record = PullRunner::Record;
  using RepositoryPtr = PullRunner::RepositoryPtr;

  struct Parts {
    PullList& records;
    const Settings& settings;
    Arms& arms;
    PullRunner& runner;
    WorkerPool& workers;  ///< May end first.
  };
  MirrorPulls(const PullServices& services, const Parts& parts) : services_(services), parts_(parts) {}

  /// Gets it upstream with the caller's rights.
  tl::expected<registry::Document, registry::Refusal> document(const RepositoryPtr& repository,
                                                               const std::string& object);
  /// One that is at hand already.
  void asked_again(const RepositoryPtr& repository, const std::string& object, const registry::Document& document);

 private:
  /// When a caller came, its way to the token service included.
  struct Arrival {
    TimePoint began;
    Duration token;
  };

  void follow(const RepositoryPtr& repository, const std::string& object, const registry::Document& document,
              const Arrival& arrival);
  void follow_index(const RepositoryPtr& repository, const oci::Reference& image, const oci::Index& index,
                    const Digest& index_digest, const Arrival& arrival);
  void follow_manifest(const RepositoryPtr& repository, const oci::Reference& image, const Digest& digest,
                       const oci::Manifest& manifest, const Arrival& arrival);
  void fetch_manifest(const RepositoryPtr& repository, const Record& record, const Digest& digest);
  Record add(const RepositoryPtr& repository, const oci::Reference& image, std::optional<Digest> index,
             const Arrival& arrival);
  bool join_running(const RepositoryPtr& repository, const Digest& manifest);

  const PullServices services_;
  const Parts parts_;
  ChallengedCallers challenged_;
};

}  // namespace paceline::pull
