// One cold start as a value: what a pull did, where its time went, and, once a container of the image has started, what
// came after. docs/records.md explains every field; to_json() writes them under the same names.
//
// Phases are an attribution of the critical path: they follow each other without a gap or an overlap from the start to
// the end of the record, so that they add up to its wall time. What runs beside them (hashing behind the fetch,
// unpacking while bytes arrive) is in the layers' own times. All times in milliseconds since the record's start.
// Any thread: values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/result.h"

namespace paceline::records {

struct Phase {
  std::string name;  ///< "queue", "token", "resolve", "manifest", "connect", "fetch", "verify", then, with a container,
                     ///< "unpack", "containerd" and "start".
  double start_ms = 0;
  double end_ms = 0;
};

struct Layer {
  std::string digest;
  std::uint64_t size_bytes = 0;
  std::string origin;  ///< "fetched", "shared" (another pull's download) or "present".
  // Absent: it did not happen, or was not seen.
  std::optional<double> located_ms;     ///< The request for it was known, rights included.
  std::optional<double> first_byte_ms;  ///< Of its body.
  std::optional<double> last_byte_ms;
  std::optional<double> verified_ms;  ///< In the store, its digest checked.
  std::optional<double> unpack_start_ms;
  std::optional<double> unpack_end_ms;
  // Of a layer that the daemon unpacked; 0 otherwise.
  std::uint64_t uncompressed_bytes = 0;  ///< Of the tar.
  std::uint64_t files = 0;               ///< Entries of the tar.
  double inflate_cpu_ms = 0;             ///< CPU time of inflating and hashing …
  double write_cpu_ms = 0;               ///< … and of everything else.
};

/// The number of streams of one blob host, from this moment on.
struct StreamChange {
  double at_ms = 0;
  std::string host;
  unsigned streams = 0;
  std::string reason;  ///< adaptive::reason_name()
};

/// What a blob host showed while the pull ran.
struct Host {
  std::string host;
  double rtt_ms = 0;         ///< Smallest.
  double queue_ms = 0;       ///< Standing queue, RTT under load less the smallest: its mean while streams ran steadily.
  double first_byte_ms = 0;  ///< From request to first byte, without the round trip.
  double best_bytes_per_second = 0;
  double stream_bytes_per_second = 0;  ///< Of one stream that no longer gained speed, on average.
  double stream_spread = 0;  ///< Standard deviation of that between streams, in parts of the mean; 0 = unknown.
  std::uint64_t segments = 0;
  std::uint64_t out_of_order = 0;  ///< Segments behind a hole: what a receiver sees of loss and retransmission.
  std::uint64_t throttled = 0;     ///< Answers 429 and 503.
  double silent_ms = 0;            ///< Time for which they asked to be left alone.
};

struct Container {
  std::string id;
  std::string containerd_namespace;
  double created_ms = 0;
  std::optional<double> started_ms;
};

struct ColdStart {
  std::string pull_id;
  std::string image;
  std::string manifest_digest;
  std::string platform;
  std::string registry;
  std::string policy;  ///< "adaptive" or "fixed:N".
  std::string arm;     ///< Of an experiment; empty: none.
  bool mixed = false;  ///< Shared a path with a pull under another policy: no comparison counts it.
  std::string source;  ///< "foreground", "prefetch", or "adopted": somebody waited, and all of it was here.
  std::string state;   ///< "done", "failed", "cancelled".
  std::string error;   ///< gRPC's name of the code; empty: none.
  std::int64_t started_unix_ms = 0;

  double pull_ms = 0;                   ///< From its start until all of it was stored and verified.
  std::optional<double> cold_start_ms;  ///< … until the first task of the image ran.
  std::uint64_t total_bytes = 0, fetched_bytes = 0, resumed_bytes = 0, wasted_bytes = 0;
  std::uint64_t retries = 0;
  double goodput_bytes_per_second = 0;  ///< Fetched bytes over connect and fetch.
  double write_ms = 0;                  ///< The network thread's time in writes to disk.
  double cpu_ms = 0;                    ///< CPU time of the whole daemon, meanwhile.
  unsigned cpus = 0;

  /// The physical lower bound by adaptive/path_model.h, from what the hosts showed; 0: nothing was fetched.
  double lower_bound_ms = 0;
  double ratio = 0;                         ///< Of pull_ms to it.
  std::map<unsigned, double> predicted_ms;  ///< By the same model, at fixed numbers of streams.

  std::vector<Phase> phases;
  std::vector<Layer> layers;  ///< Config first, then bottom layer first.
  std::vector<StreamChange> streams;
  std::vector<Host> hosts;
  std::optional<Container> container;

  /// 0 when there is no such phase.
  [[nodiscard]] double phase_ms(const std::string& name) const;
};

/// One line.
[[nodiscard]] std::string to_json(const ColdStart& record);
/// kInvalidArgument when it is none of ours. Fields that are missing keep their defaults.
Result<ColdStart> from_json(const std::string& text);

}  // namespace paceline::records
