// What bounded a cold start, read off its record, with the evidence. Pure functions of values; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugin/records/cold_start.h"

namespace paceline::records {

enum class Bottleneck {
  kNothing,        ///< Too little was measured to tell, or nothing took long.
  kLatency,        ///< Round trips: the bytes were too few to fill the path.
  kLink,           ///< The path was full: a queue stood in it, or more streams brought no more.
  kConnectionCap,  ///< Each connection brought the same, however many: a limit per connection.
  kLoss,           ///< Each connection was held back by lost segments.
  kThrottle,       ///< The registry answered 429 or 503.
  kDisk,           ///< Writing or syncing blobs.
  kCpu,            ///< Every core was busy with the daemon.
  kUnpack,         ///< Unpacking layers after the last byte was there.
  kTokenServer,    ///< Waiting for tokens.
  kRegistry,       ///< The registry's answers to manifests, or its first byte.
  kContainerd,     ///< From the pull's end until the container was made, not explained by our own unpacking.
  kStart,          ///< From the made container to its running task: the runtime's and the image's own time.
  kQueue,          ///< It waited for its turn (fetch.max_pulls).
};

/// "latency", "link", "connection cap", …
[[nodiscard]] std::string_view bottleneck_name(Bottleneck bottleneck);

struct Diagnosis {
  Bottleneck bottleneck = Bottleneck::kNothing;
  std::string verdict;                ///< One sentence.
  std::vector<std::string> evidence;  ///< The figures behind it.
};

[[nodiscard]] Diagnosis diagnose(const ColdStart& record);

/// Whether what the host showed says that each stream had a limit of its own, and not the path as a whole.
[[nodiscard]] bool per_stream_limit(const ColdStart& record, const Host& host);

}  // namespace paceline::records
