// All pulls of the daemon: plans them, joins what is already in flight, follows them to their end.
//
// Thread rule: any thread but the network's. start_*() and document() may block for registry round trips; the rest do
// not. Everything handed to the constructor is borrowed and outlives the manager. Destroying it stops all pulls and
// keeps their partial downloads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/digest.h"
#include "plugin/base/result.h"
#include "plugin/config/config.h"
#include "plugin/net/network_thread.h"
#include "plugin/oci/platform.h"
#include "plugin/oci/reference.h"
#include "plugin/pull/flight_table.h"
#include "plugin/registry/repository.h"
#include "plugin/store/store.h"

namespace paceline::pull {

enum class Source {
  kMirror,    ///< A container runtime asked for the manifest: foreground.
  kPrefetch,  ///< Somebody asked ahead of time: background until containerd wants one of its blobs.
  kResumed,   ///< Was under way when the daemon stopped.
};

enum class PullState { kQueued, kResolving, kFetching, kDone, kFailed, kCancelled };
std::string_view state_name(PullState state);    ///< "queued", …
std::string_view source_name(Source source);     ///< "mirror", …

struct BlobProgress {
  Digest digest;
  std::string media_type;
  std::uint64_t size = 0;
  std::uint64_t received = 0;
  bool present = false;    ///< Was in the store before this pull.
  bool done = false;       ///< In the store now, verified.
  unsigned streams = 0;    ///< Ranges of it under way now.
};

/// A pull as it stands; a value, safe to keep.
struct PullSnapshot {
  std::string id;  ///< Unique over restarts.
  std::string image;
  std::optional<Digest> digest;  ///< Of the manifest, once resolved.
  std::string platform;
  Source source = Source::kPrefetch;
  bool foreground = false;
  PullState state = PullState::kQueued;
  std::optional<Error> error;
  WallTime started;
  std::optional<WallTime> finished;
  Duration elapsed{0};
  Duration resolve_time{0};
  std::uint64_t total_bytes = 0;     ///< Config and layers.
  std::uint64_t received_bytes = 0;  ///< Of these, here now.
  std::uint64_t fetched_bytes = 0;   ///< Came over the network for this pull.
  std::uint64_t resumed_bytes = 0;   ///< Found from an earlier, interrupted download.
  std::uint64_t retries = 0;
  unsigned streams = 0;              ///< Ranges under way now.
  double bytes_per_second = 0;       ///< Over about the last second.
  std::string policy;                ///< "adaptive" or "fixed:N".
  std::vector<BlobProgress> blobs;   ///< Config first, then layers, bottom first.
};

/// The state of one path: one blob host after redirects.
struct PathSnapshot {
  std::string host;  ///< host:port
  std::string policy;
  unsigned limit = 0;    ///< Streams the controller allows now.
  unsigned active = 0;
  unsigned ceiling = 0;  ///< Most it may allow: configuration, or a server's throttling.
  std::string mode;      ///< The controller's phase.
  std::string reason;    ///< Of its last decision.
  double rtt_seconds = 0;
  double first_byte_seconds = 0;
  double bytes_per_second = 0;
  double best_bytes_per_second = 0;
  bool ranges = true;    ///< The host honours Range.
  double silent_seconds = 0;  ///< Retry-After still to run.
  std::uint64_t bytes = 0, requests = 0, retries = 0, throttled = 0;
};

struct PrefetchRequest {
  oci::Reference image;
  std::optional<oci::Platform> platform;  ///< Absent: this machine's.
  bool pin = false;                       ///< Pin all its blobs under the image's name when done.
};

struct PullServices {
  const config::Config& config;
  const Clock& clock;
  net::NetworkThread& network;
  registry::Registries& registries;
  store::Store& store;
  FlightTable& flights;
  std::filesystem::path state;  ///< Folder for what survives a restart: pulls under way, path memory.
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
