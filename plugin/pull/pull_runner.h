// The way of one pull, from its manifest to its end: its blobs take off or are joined, it follows their landings, has
// its layers unpacked where it is to, and is reported and pinned.
//
// Thread rule: any thread; nothing blocks but for the disk. Borrows what it is given. Its destruction stops all pulls
// and keeps their partial downloads.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "plugin/base/worker_pool.h"
#include "plugin/oci/manifest.h"
#include "plugin/pull/engine.h"
#include "plugin/pull/pull_list.h"
#include "plugin/pull/pull_services.h"
#include "plugin/pull/settings.h"

namespace paceline::pull {

class PullRunner {
 public:
  using Record = std::shared_ptr<PullRecord>;
  using RepositoryPtr = std::shared_ptr<registry::Repository>;

  struct Hooks {
    std::function<void()> changed;            ///< What the journal says of the pulls under way is out of date.
    std::function<void(const Record&)> over;  ///< The same, for it has ended.
  };

  /// `workers` may end before this does.
  PullRunner(const PullServices& services, PullList& records, const Settings& settings, PathMemory& memory,
             WorkerPool& workers, Hooks hooks);
  ~PullRunner();
  PullRunner(const PullRunner&) = delete;
  PullRunner& operator=(const PullRunner&) = delete;
  /// What lands from now on is kept in the journal for the next start.
  void stop() { stopping_ = true; }

  /// Puts every blob's flight up, then starts to fetch. From here on the landings drive the pull.
  void begin(const Record& record, const RepositoryPtr& repository, const Digest& digest,
             const oci::Manifest& manifest);
  /// The same for a manifest that is in the store; false when it is not, or is none.
  bool begin_from_store(const Record& record, const RepositoryPtr& repository, const Digest& digest);
  /// Makes it a foreground pull and lends it the repository's rights. false: some of its blobs are neither here nor
  /// under way, as containerd's collection may have taken one that was here when it began.
  bool join(const Record& record, const RepositoryPtr& repository);
  /// Whether all that it brought is here.
  [[nodiscard]] bool is_here(const PullRecord& record) const;
  void end(const Record& record, std::optional<PullState> state, std::optional<Error> error);
  /// containerd asks for this image.
  void tell_listener(const Digest& digest, const oci::Manifest& manifest);

  TransferEngine& engine() { return engine_; }
  [[nodiscard]] const TransferEngine& engine() const { return engine_; }

 private:
  void fetch(const Record& record, const RepositoryPtr& repository, const std::vector<oci::Descriptor>& blobs,
             const std::set<Digest>& unneeded);
  std::optional<BlobJob> claim(const Record& record, std::size_t i, const oci::Descriptor& blob,
                               const RepositoryPtr& repository);
  std::shared_ptr<BlobCounters> counters_of(const Digest& digest, bool fresh);
  void landed(const Record& record, std::size_t i, const oci::Descriptor& blob, const RepositoryPtr& repository,
              const Status& outcome);
  void unpack(const Record& record, const oci::Manifest& manifest);
  void end_if_unpacked(const Record& record);
  void demand(const Digest& digest);
  void bring_back(const PullRecord& pull);

  const PullServices services_;
  PullList& records_;
  const Settings& settings_;
  WorkerPool& workers_;
  const Hooks hooks_;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::unordered_map<Digest, std::weak_ptr<BlobCounters>> counters_;
  TransferEngine engine_;  // Last: what it lands while it ends uses all of the above.
};

}  // namespace paceline::pull
