#include "plugin/pull/pull_runner.h"

#include <algorithm>
#include <utility>

#include "plugin/base/log.h"
#include "plugin/base/text.h"
#include "plugin/pull/documents.h"
#include "plugin/pull/plan.h"

namespace paceline::pull {
namespace {

// As long as the store keeps a foreground pull's blobs for containerd.
constexpr Duration kBroughtBack = std::chrono::minutes(10);

void report_end(const PullSnapshot& pull) {
  if (pull.error) {
    spdlog::warn("pull {} {} ({}): {} after {}: {}", pull.id, pull.image, source_name(pull.source),
                 state_name(pull.state), format_duration(pull.elapsed), pull.error->to_string());
    return;
  }
  spdlog::info("pull {} {} ({}, {}): {} in {}: {} of {} fetched, {} a second, {} retries", pull.id, pull.image,
               source_name(pull.source), pull.policy, state_name(pull.state), format_duration(pull.elapsed),
               format_bytes(pull.fetched_bytes), format_bytes(pull.total_bytes),
               format_bytes(static_cast<std::uint64_t>(pull.bytes_per_second)), pull.retries);
}

}  // namespace

PullRunner::PullRunner(const PullServices& services, PullList& records, const Settings& settings, PathMemory& memory,
                       WorkerPool& workers, Hooks hooks)
    : services_(services),
      records_(records),
      settings_(settings),
      workers_(workers),
      hooks_(std::move(hooks)),
      engine_({services.clock, services.network, services.store, services.flights, memory}, services.config) {
  services_.flights.set_demand_hook([this](const Digest& digest) { demand(digest); });
}

PullRunner::~PullRunner() {
  services_.flights.set_demand_hook({});
  stop();
}

void PullRunner::begin(const Record& record, const RepositoryPtr& repository, const Digest& digest,
                       const oci::Manifest& manifest) {
  const auto blobs = plan_blobs(manifest);
  if (!blobs) return end(record, {}, blobs.error());
  record->also_pin(digest);
  if (!record->fetching(digest, *blobs)) return;
  const auto unneeded = record->foreground() && services_.listener != nullptr ? services_.listener->unneeded(manifest)
                                                                              : std::set<Digest>();
  fetch(record, repository, *blobs, unneeded);
  if (record->foreground()) tell_listener(digest, manifest);
  if (record->unpack()) unpack(record, manifest);
  hooks_.changed();
  if (record->all_landed()) end_if_unpacked(record);
}

bool PullRunner::begin_from_store(const Record& record, const RepositoryPtr& repository, const Digest& digest) {
  const auto manifest = stored_manifest(services_.store, digest);
  if (manifest) begin(record, repository, digest, *manifest);
  return manifest.has_value();
}

bool PullRunner::join(const Record& record, const RepositoryPtr& repository) {
  const auto digests = record->digests();
  // In this order: a landing blob is first in the store, then out of the table.
  if (!std::ranges::all_of(digests, [&](const Digest& digest) {
        return services_.flights.find(digest).has_value() || services_.store.find(digest).has_value();
      })) {
    return false;
  }
  record->set_foreground();
  for (const Digest& digest : digests) engine_.join(record->key, true, digest, repository);
  return true;
}

bool PullRunner::is_here(const PullRecord& record) const {
  return std::ranges::all_of(record.digests(),
                             [&](const Digest& digest) { return services_.store.find(digest).has_value(); });
}

void PullRunner::fetch(const Record& record, const RepositoryPtr& repository, const std::vector<oci::Descriptor>& blobs,
                       const std::set<Digest>& unneeded) {
  std::vector<BlobJob> jobs;
  for (std::size_t i = 0; i < blobs.size(); ++i) {
    if (unneeded.contains(blobs[i].digest) && !services_.store.find(blobs[i].digest)) {
      record->blob_present(i);
      continue;
    }
    if (auto job = claim(record, i, blobs[i], repository)) jobs.push_back(std::move(*job));
  }
  if (!jobs.empty()) {
    engine_.fetch(record->key, record->foreground(), repository, std::move(jobs), {record->trace, record->arm});
  }
}

/// Makes sure of one blob: it is here, or in flight with this pull waiting for it. Answers a job when this pull is
/// the one to fetch it.
std::optional<BlobJob> PullRunner::claim(const Record& record, std::size_t i, const oci::Descriptor& blob,
                                         const RepositoryPtr& repository) {
  for (;;) {
    if (services_.store.find(blob.digest)) {
      record->blob_present(i);
      return std::nullopt;
    }
    const bool own = services_.flights.take_off(blob.digest, blob.size);
    const auto counters = counters_of(blob.digest, own);
    record->blob_in_flight(i, counters, own);
    const auto wait = services_.flights.wait(blob.digest, [this, record, i, blob, repository](const Status& outcome) {
      landed(record, i, blob, repository, outcome);
    });
    if (!wait) continue;  // It landed in between.
    record->blob_waits(i, *wait);
    if (own) return BlobJob{blob.digest, blob.size, counters};
    engine_.join(record->key, record->foreground(), blob.digest, repository);
    return std::nullopt;
  }
}

/// The counters of a digest's flight, shared by all pulls that wait for it.
std::shared_ptr<BlobCounters> PullRunner::counters_of(const Digest& digest, bool fresh) {
  const std::lock_guard lock(mutex_);
  std::erase_if(counters_, [](const auto& entry) { return entry.second.expired(); });
  auto counters = fresh ? nullptr : counters_[digest].lock();
  if (counters == nullptr) counters = std::make_shared<BlobCounters>();
  counters_[digest] = counters;
  return counters;
}

void PullRunner::landed(const Record& record, std::size_t i, const oci::Descriptor& blob,
                        const RepositoryPtr& repository, const Status& outcome) {
  if (stopping_) return;
  if (!outcome && outcome.error().code == Code::kCancelled && !record->over()) {
    // Cancelled by a pull that shared it with this one: this one takes it over.
    workers_.post([this, record, i, blob, repository] {
      if (record->over()) return;
      if (auto job = claim(record, i, blob, repository)) {
        engine_.fetch(record->key, record->foreground(), repository, {std::move(*job)}, {record->trace, record->arm});
      } else if (record->all_landed()) {
        end_if_unpacked(record);
      }
    });
    return;
  }
  if (record->blob_landed(i, outcome)) end_if_unpacked(record);
}

void PullRunner::unpack(const Record& record, const oci::Manifest& manifest) {
  if (services_.listener == nullptr) {
    record->unpacked(
        fail(Code::kFailedPrecondition,
             "layers cannot be unpacked: the daemon has no snapshotter; set [snapshotter] enabled = true"));
    return;
  }
  // The record holds what it is answered, and that holds this: a strong reference would keep both for ever.
  record->unpacking(services_.listener->unpack(manifest, [this, weak = std::weak_ptr(record)](const Status& outcome) {
    const Record record = weak.lock();
    if (!record) return;
    record->unpacked(outcome);
    // Not here: the caller's thread is the unpacker's.
    if (!stopping_)
      workers_.post([this, record] {
        if (record->all_landed()) end_if_unpacked(record);
      });
  }));
}

/// All blobs have landed.
void PullRunner::end_if_unpacked(const Record& record) {
  if (!record->waits_for_unpack()) end(record, {}, {});
}

void PullRunner::tell_listener(const Digest& digest, const oci::Manifest& manifest) {
  if (services_.listener != nullptr) services_.listener->planned(digest, manifest);
}

void PullRunner::end(const Record& record, std::optional<PullState> state, std::optional<Error> error) {
  const auto ended = record->finish(state, std::move(error));
  if (!ended) return;
  for (const WaitId wait : record->waits()) services_.flights.cancel(wait);
  engine_.cancel(record->key);
  const auto pull = record->snapshot();
  report_end(pull);
  if (services_.ends != nullptr) services_.ends->ended(pull);
  if (services_.records != nullptr) {
    services_.records->pull_ended(record->cold_start(settings_.max_streams(record->image.registry)));
  }
  if (*ended == PullState::kDone && record->pin()) {
    workers_.post([this, record] {
      if (auto pinned = services_.store.pin(record->image.to_string(), record->digests()); !pinned) {
        spdlog::error("pin {}: {}", record->image.to_string(), pinned.error().message);
      }
    });
  }
  hooks_.over(record);
}

/// containerd opens a Write for it, within a transaction of its own: memory only.
void PullRunner::demand(const Digest& digest) {
  Record brought_by;
  for (const Record& record : records_.all()) {
    if (!record->over() && record->has_blob(digest)) record->set_foreground();
    if (record->has_brought(digest)) brought_by = record;
  }
  // In this order: a landing blob is first in the store, then out of the table.
  const bool gone = !services_.flights.find(digest) && !services_.store.find(digest);
  if (gone && brought_by != nullptr && !brought_by->ended_before(services_.clock.now() - kBroughtBack)) {
    bring_back(*brought_by);
  } else {
    engine_.raise(digest);
  }
}

/// What a pull has brought is gone, and containerd is about to fetch it itself: its collection runs when it likes,
/// also between the manifest and the layers, and a manifest that the mirror still knows makes no plan anew.
void PullRunner::bring_back(const PullRecord& pull) {
  spdlog::debug("pull {} {}: blobs of it are gone and wanted again", pull.id, pull.image.to_string());
  const Record record = records_.add({.image = pull.image,
                                      .platform = pull.platform,
                                      .source = Source::kMirror,
                                      .foreground = true,
                                      .pin = false,
                                      .access = pull.access,
                                      .policy = settings_.policy(pull.image.registry)});
  record->trace->set_mixed();  // A part of a pull says nothing of a policy.
  const auto blobs = pull.brought();
  if (!record->fetching(*pull.manifest(), blobs)) return;
  fetch(record, services_.registries.open(pull.image.registry, pull.image.repository, pull.access), blobs, {});
  hooks_.changed();
  if (record->all_landed()) end_if_unpacked(record);
}

}  // namespace paceline::pull
