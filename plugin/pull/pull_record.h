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
#include "plugin/pull/arms.h"
#include "plugin/pull/blob_fetch.h"
#include "plugin/pull/flight_table.h"
#include "plugin/pull/journal.h"
#include "plugin/pull/pull_trace.h"
#include "plugin/pull/snapshot.h"
#include "plugin/records/sink.h"
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
    std::optional<Arm> arm = std::nullopt;          ///< Of an experiment.
    std::optional<TimePoint> began = std::nullopt;  ///< Absent: now. The caller's first request may have come earlier.
    Duration token{0};                              ///< Of it, the caller's way to the token service.
  };

  PullRecord(PullKey key, std::string id, Request request, const Clock& clock);

  const PullKey key;
  const std::string id;
  const oci::Reference image;
  const std::optional<oci::Platform> platform;  ///< Absent: this machine's.
  const Source source;
  const registry::Access access;
  const std::optional<Arm> arm;
  const std::shared_ptr<PullTrace> trace = std::make_shared<PullTrace>();

  // ---- its way
  void resolving();
  /// The first document (a manifest or an index) is here; `token` of the time since then went to a token service.
  void documented(Duration token);
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
  /// Whether it was here when the pull began, or came with it.
  [[nodiscard]] bool has_brought(const Digest& digest) const;
  [[nodiscard]] std::vector<oci::Descriptor> brought() const;
  [[nodiscard]] std::optional<Digest> manifest() const;
  [[nodiscard]] bool ended_before(TimePoint time) const;
  [[nodiscard]] PullSnapshot snapshot() const;
  [[nodiscard]] JournalEntry journal_entry() const;
  /// After its end: where the time went (pull_record_cold_start.cpp).
  [[nodiscard]] records::EndedPull cold_start(unsigned max_streams) const;

 private:
  struct Blob {
    oci::Descriptor descriptor;
    std::shared_ptr<BlobCounters> counters;
    std::optional<WaitId> wait;
    bool own = false;
    bool present = false;
    bool done = false;
    bool landed = false;
    std::optional<TimePoint> landed_at;
  };
  [[nodiscard]] std::vector<records::Phase> phases() const;
  void describe_blobs(records::ColdStart& record) const;
  void describe_outcome(records::ColdStart& record) const;
  [[nodiscard]] double since_start(TimePoint time) const;

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
  std::optional<TimePoint> resolving_;
  std::optional<TimePoint> documented_;
  std::optional<TimePoint> resolved_;
  Duration token_;
  Duration cpu_at_start_;
  std::optional<TimePoint> finished_;
  std::optional<WallTime> finished_wall_;
  Duration cpu_{0};
  // Goodput, sampled by whoever looks.
  mutable TimePoint sampled_;
  mutable std::uint64_t sampled_bytes_ = 0;
  mutable double rate_ = 0;
};

}  // namespace paceline::pull
