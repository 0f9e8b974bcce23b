// Pulls and paths as others see them: plain values, safe to keep, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adaptive/stream_controller.h"
#include "plugin/base/clock.h"
#include "plugin/base/digest.h"
#include "plugin/base/result.h"
#include "plugin/pull/plan_listener.h"

namespace paceline::pull {

enum class Source {
  kMirror,    ///< A container runtime asked for the manifest: foreground.
  kPrefetch,  ///< Somebody asked ahead of time: background until containerd wants one of its blobs.
  kResumed,   ///< Was under way when the daemon stopped.
};

enum class PullState { kQueued, kResolving, kFetching, kUnpacking, kDone, kFailed, kCancelled };
std::string_view state_name(PullState state);  ///< "queued", …
std::string_view source_name(Source source);   ///< "mirror", …

struct BlobProgress {
  Digest digest;
  std::string media_type;
  std::uint64_t size = 0;
  std::uint64_t received = 0;
  bool present = false;  ///< Was in the store before this pull.
  bool done = false;     ///< In the store now, verified.
  unsigned streams = 0;  ///< Ranges of it under way now.
  UnpackState unpack = UnpackState::kNone;
  std::uint64_t unpacked_bytes = 0;  ///< Of the blob.
  bool shared = false;               ///< Another pull's download of it was joined.
};

/// A pull as it stands; a value, safe to keep.
struct PullSnapshot {
  std::string id;  ///< Unique over restarts.
  std::string image;
  std::optional<Digest> digest;  ///< Of the manifest, once resolved.
  std::string platform;
  Source source = Source::kPrefetch;
  bool foreground = false;
  bool unpack = false;  ///< It goes on to unpacked layers.
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
  unsigned streams = 0;             ///< Ranges under way now.
  double bytes_per_second = 0;      ///< Over about the last second.
  std::string policy;               ///< "adaptive" or "fixed:N".
  std::vector<BlobProgress> blobs;  ///< Config first, then layers, bottom first.
};

/// Why a byte range was asked for again.
enum class Retry {
  kConnection,   ///< No connection, or one that broke.
  kTimeout,      ///< No connection in time, or a stall.
  kServerError,  ///< 5xx, 408, 425.
  kShortBody,    ///< Less than was announced.
};
std::string_view retry_name(Retry reason);  ///< "connection", …

/// What has happened on a path since the daemon's start.
struct PathCounts {
  std::uint64_t foreground_bytes = 0, prefetch_bytes = 0;  ///< Fetched for pulls that somebody waits for; for others.
  std::map<Retry, std::uint64_t> retries;
  std::map<std::pair<adaptive::Reason, bool>, std::uint64_t> changes;  ///< Of the number of streams; true: upwards.
  std::uint64_t range_fallbacks = 0;                                   ///< To one stream a blob.
};

/// The state of one path: one blob host after redirects.
struct PathSnapshot {
  std::string host;  ///< host:port
  std::string policy;
  unsigned limit = 0;  ///< Streams the controller allows now.
  unsigned active = 0;
  unsigned ceiling = 0;  ///< Most it may allow: configuration, or a server's throttling.
  std::string mode;      ///< The controller's phase.
  std::string reason;    ///< Of its last decision.
  double rtt_seconds = 0;
  double first_byte_seconds = 0;
  double bytes_per_second = 0;
  double best_bytes_per_second = 0;
  bool ranges = true;         ///< The host honours Range.
  double silent_seconds = 0;  ///< Retry-After still to run.
  std::uint64_t bytes = 0, requests = 0, retries = 0, throttled = 0;
  PathCounts counts;
};

}  // namespace paceline::pull
