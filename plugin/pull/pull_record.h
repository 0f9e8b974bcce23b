// One pull as the manager keeps it, from request to end.
// Thread rule: every member function from any thread; one mutex inside, held for memory only.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/oci/manifest.h"
#include "plugin/oci/reference.h"
#include "plugin/pull/blob_fetch.h"
#include "plugin/pull/flight_table.h"
#include "plugin/pull/journal.h"
#include "plugin/pull/snapshot.h"
#include "plugin/registry/repository.h"

namespace paceline::pull {

class PullRecord {
 public:
  struct Request {
    oci::Reference image;
    std::optional<oci::Platform> platform;
    Source source = Source::kPrefetch;
    bool foreground = false;
    bool pin = false;
    bool unpack = false;
    registry::Access access;
    std::string policy;
  };

  PullRecord(PullKey key, std::string id, Request request, const Clock& clock);

  const PullKey key;
  const std::string id;
  const oci::Reference image;
  const std::optional<oci::Platform> platform;  ///< Absent: this machine's.
  const Source source;
  const registry::Access access;

  // ---- its way
  void resolving();
  /// The manifest is known; `present` blobs count as done. Answers false when the pull is over already (cancelled).
  bool fetching(const Digest& manifest, const std::vector<oci::Descriptor>& blobs);
  void blob_present(std::size_t blob);
  /// `own`: this pull fetches it; otherwise it shares another pull's download.
  void blob_in_flight(std::size_t blob, std::shared_ptr<BlobCounters> counters, bool own);
  void blob_waits(std::size_t blob, WaitId wait);
  /// A blob landed. Answers true when that was the last one.
  bool blob_landed(std::size_t blob, const Status& outcome);
  /// Whether no blob is awaited any more.
  [[nodiscard]] bool all_landed() const;
  /// Its layers are being unpacked, from now on until unpacked().
  void unpacking(std::shared_ptr<const UnpackProgress> progress);
  void unpacked(const Status& outcome);
  /// Whether the layers' unpack is awaited; says so as the pull's state if nothing else is.
  bool waits_for_unpack();
  /// Ends it, once: answers the state it ended in, or empty when it was over already. No state given: done, or failed
  /// with the first blob's error.
  std::optional<PullState> finish(std::optional<PullState> state, std::optional<Error> error);

  // ---- what others ask
  [[nodiscard]] bool over() const;
  [[nodiscard]] bool foreground() const;
  void set_foreground();
  [[nodiscard]] bool pin() const;
  void set_pin();
  [[nodiscard]] bool unpack() const;
  void set_unpack();
  void also_pin(const Digest& digest);  ///< The manifest and index beside the blobs.
  [[nodiscard]] std::vector<Digest> digests() const;
  [[nodiscard]] std::vector<WaitId> waits() const;
  [[nodiscard]] bool has_blob(const Digest& digest) const;
  [[nodiscard]] std::optional<Digest> manifest() const;
  [[nodiscard]] bool ended_before(TimePoint time) const;
  [[nodiscard]] PullSnapshot snapshot() const;
  [[nodiscard]] JournalEntry journal_entry() const;

 private:
  struct Blob {
    oci::Descriptor descriptor;
    std::shared_ptr<BlobCounters> counters;
    std::optional<WaitId> wait;
    bool own = false;
    bool present = false;
    bool done = false;
    bool landed = false;
  };

  const Clock& clock_;
  const std::string policy_;
  mutable std::mutex mutex_;
  PullState state_ = PullState::kQueued;
  bool foreground_;
  bool pin_;
  bool unpack_;
  bool unpack_awaited_ = false;
  std::shared_ptr<const UnpackProgress> unpack_progress_;
  std::optional<Error> error_;
  std::optional<Digest> manifest_;
  std::vector<Digest> documents_;
  std::vector<Blob> blobs_;
  WallTime started_wall_;
  TimePoint started_;
  std::optional<TimePoint> resolved_;
  std::optional<TimePoint> finished_;
  std::optional<WallTime> finished_wall_;
  // Goodput, sampled by whoever looks.
  mutable TimePoint sampled_;
  mutable std::uint64_t sampled_bytes_ = 0;
  mutable double rate_ = 0;
};

}  // namespace paceline::pull
