// The transfer engine: fetches blobs as byte ranges over as many streams as each path's controller allows, writes them
// in place, has them hashed behind the writes, and lands each flight. Joins registry, net, store and adaptive.
//
// Thread rule: fetch(), join(), raise(), cancel(), paths() from any thread, none blocks; all else is on the network
// thread, where all state lives. Everything in EngineServices is borrowed and outlives the engine. The destructor stops
// every stream, keeps partial downloads with their progress, and lands their flights as cancelled.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/worker_pool.h"
#include "plugin/config/config.h"
#include "plugin/net/network_thread.h"
#include "plugin/pull/arms.h"
#include "plugin/pull/blob_fetch.h"
#include "plugin/pull/flight_table.h"
#include "plugin/pull/path.h"
#include "plugin/pull/path_memory.h"
#include "plugin/pull/prefetch_caps.h"
#include "plugin/pull/pull_trace.h"
#include "plugin/pull/range_stream.h"
#include "plugin/store/store.h"

namespace paceline::pull {

struct EngineServices {
  const Clock& clock;
  net::NetworkThread& network;
  store::Store& store;
  FlightTable& flights;
  PathMemory& memory;
};

/// A blob to fetch; its flight has taken off already. The engine lands it.
struct BlobJob {
  Digest digest;
  std::uint64_t size = 0;
  std::shared_ptr<BlobCounters> counters;
};

/// What holds for one pull beside its blobs.
struct PullTerms {
  std::shared_ptr<PullTrace> trace;  ///< Told what the pull's paths did; may be null.
  std::optional<Arm> arm;            ///< Of an experiment, in place of the configured policy.
};

class TransferEngine final : public RangeStreamOwner {
 public:
  TransferEngine(const EngineServices& services, const config::Config& config);
  ~TransferEngine() override;

  /// Fetches `jobs` (bottom layer first) for `pull` from `repository`.
  void fetch(PullKey pull, bool foreground, std::shared_ptr<registry::Repository> repository, std::vector<BlobJob> jobs,
             PullTerms terms = {});
  /// `pull` wants a blob that is in flight for another pull; `repository` is one more source for it.
  void join(PullKey pull, bool foreground, const Digest& digest, std::shared_ptr<registry::Repository> repository);
  /// A manifest of this registry is being asked for: opens connections to where its last blobs came from, so that they
  /// are there when the plan is. Nothing for a registry that is not remembered, or one that is busy.
  void warm(const std::string& registry);
  /// The blob is wanted now: the pull that fetches it becomes a foreground pull.
  void raise(const Digest& digest);
  /// The pull wants none of its blobs any more; those that nobody else wants land as cancelled.
  void cancel(PullKey pull);
  void reconfigure(const config::Config& config);

  [[nodiscard]] std::vector<PathSnapshot> paths() const;

 private:
  using Blob = std::shared_ptr<BlobFetch>;
  struct Found;

  // RangeStreamOwner
  net::Flow stream_advanced(Stream& stream, std::size_t bytes) override;
  void stream_ended(std::uint64_t stream_id, const net::TransferEnd& end) override;
  [[nodiscard]] adaptive::Time now() const override;
  [[nodiscard]] WallTime wall() const override;

  // Where a blob is (engine_places.cpp)
  void locate(const std::vector<Blob>& blobs);
  void located(std::vector<Found> found);
  void place(const Blob& blob, net::HttpRequest request);
  void unplace(const Blob& blob);
  void relocate(const Blob& blob, const Error& why);
  void redirect(const Blob& blob, const std::string& location);
  void renew_rights(const Blob& blob, const std::string& challenge);
  void next_place(const Blob& blob, const Error& why);

  // Streams (engine_streams.cpp)
  void schedule(Path& path);
  void start_stream(Path& path, PullKey pull, const adaptive::Range& range);
  void settle(const std::shared_ptr<Stream>& stream, const net::TransferEnd& end);
  void give_back(const Stream& stream);
  void back_off(const std::shared_ptr<Stream>& stream, Retry reason, const Error& why);
  void cancel_streams(const Blob& blob);
  void cancel_stream(std::uint64_t stream_id);
  void use_single_streams(Path& path, const Error& why);
  void yield_to_foreground(Path& path);
  void make_room(const std::string& host);
  [[nodiscard]] unsigned delivering(const Path& path) const;
  [[nodiscard]] std::uint64_t unverified_bytes() const;

  // Prefetches under their caps (engine_caps.cpp)
  /// Whether a new stream of this pull has to wait.
  [[nodiscard]] bool must_wait(PullKey pull) const;
  /// Whether what arrives over this path is what a cap lets through: it says nothing of the path.
  [[nodiscard]] bool held_by_a_cap(const Path& path) const;
  void pay_in_advance(Stream& stream);
  net::Flow pay(Stream& stream, std::size_t bytes);
  void resume_in(Duration delay);
  void resume_paused();
  void resume_foreground();
  void resume(const Stream& stream);

  // Connections opened ahead of need (engine_warm.cpp)
  class WarmUp;
  void remember_origin(const BlobFetch& blob);
  void warmed(Path& path);

  // A blob's life and the passing of time (engine.cpp)
  void pump_hash(const Blob& blob);
  void publish_prefix(BlobFetch& blob, std::uint64_t step);
  void hashed(const Blob& blob, const Status& status, bool finished);
  void abandon(const Blob& blob, const Error& why);
  void land(const Blob& blob, const Status& outcome);
  void leave(const Blob& blob, PullKey pull);
  Path& open_path(const std::string& host, const std::string& registry, PullKey pull);
  void wake(Path& path);
  void tick(Path& path);
  void housekeeping();

  // What records are made of (engine_trace.cpp)
  /// Null for a pull that keeps no record.
  [[nodiscard]] PullTrace* trace_of(PullKey pull) const;
  void trace_path(Path& path, const net::TcpSample& sample);
  void trace_throttled(Path& path, bool burst);
  void mark_mixed(Path& path, PullKey newcomer);
  void make_foreground(PullKey pull);
  void stop();
  [[nodiscard]] std::int64_t wall_seconds() const;
  /// Runs on the network thread, unless the engine is gone by then.
  void post(std::function<void()> work);
  void after(Duration delay, std::function<void()> work);

  const Clock& clock_;
  net::NetworkThread& network_;
  store::Store& store_;
  FlightTable& flights_;
  PathMemory& memory_;
  config::Config config_;

  std::unordered_map<Digest, Blob> blobs_;
  std::unordered_map<std::uint64_t, Blob> layers_;  // by BlobFetch::layer
  std::map<std::string, std::unique_ptr<Path>> paths_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Stream>> streams_;
  std::set<PullKey> foreground_;
  std::map<PullKey, PullTerms> terms_;
  /// Where a registry's blobs come from, without path, headers or secrets.
  struct Origin {
    std::string address;  ///< "https://cdn.example"
    net::TlsOptions tls;
  };
  std::map<std::string, Origin> origins_;  // by registry name
  PrefetchCaps prefetch_caps_;
  std::deque<std::uint64_t> paused_;  ///< Streams that a cap holds, longest first; some may have ended.
  net::TimerId resume_timer_ = 0;
  TimePoint resume_at_;
  std::uint64_t next_layer_ = 1;
  std::uint64_t next_stream_ = 1;
  std::uint64_t beats_ = 0;
  bool housekeeping_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // touched on the network thread only

  mutable std::mutex published_mutex_;
  std::vector<PathSnapshot> published_;

  // Last, so that their tasks end before what they use: locating may block on the network, hashing on the disk.
  WorkerPool locators_;
  WorkerPool hashers_;
};

}  // namespace paceline::pull
