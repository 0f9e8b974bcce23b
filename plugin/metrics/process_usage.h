// What the kernel says of this process, for the metrics that every Prometheus client offers under the same names.
// Thread rule: any thread.
#pragma once

#include <cstdint>

namespace paceline::metrics {

struct ProcessUsage {
  double start_time = 0;   ///< Seconds since the epoch.
  double cpu_seconds = 0;  ///< User and system, all threads.
  std::uint64_t resident_bytes = 0, virtual_bytes = 0;
  std::uint64_t open_fds = 0, max_fds = 0;
  std::uint64_t threads = 0;
};

/// What cannot be read is 0.
ProcessUsage read_process_usage();

}  // namespace paceline::metrics
