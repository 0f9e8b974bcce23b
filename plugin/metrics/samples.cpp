#include "plugin/metrics/samples.h"

#include <algorithm>
#include <utility>

namespace paceline::metrics {
namespace {

using prometheus::MetricType;

std::string eviction_name(store::Eviction why) {
  switch (why) {
    case store::Eviction::kQuota:
      return "quota";
    case store::Eviction::kDisk:
      return "disk";
    case store::Eviction::kRequest:
      return "request";
    case store::Eviction::kUnpacked:
      return "unpacked";
  }
  return "unknown";
}

}  // namespace

Families store_families(const store::Usage& usage) {
  auto bytes = make_family("paceline_store_bytes", "Bytes in the store by state.", MetricType::Gauge);
  add_sample(bytes, {{"state", "listed"}}, static_cast<double>(usage.listed_bytes));
  add_sample(bytes, {{"state", "hidden"}}, static_cast<double>(usage.hidden_bytes));
  add_sample(bytes, {{"state", "partial"}}, static_cast<double>(usage.partial_bytes));
  auto blobs = make_family("paceline_store_blobs", "Blobs in the store by state.", MetricType::Gauge);
  add_sample(blobs, {{"state", "listed"}}, static_cast<double>(usage.listed_blobs));
  add_sample(blobs, {{"state", "hidden"}}, static_cast<double>(usage.hidden_blobs));
  auto evictions = make_family("paceline_store_evictions_total",
                               "Blobs dropped that containerd had not on its list, by reason.", MetricType::Counter);
  for (const auto& [why, count] : usage.evicted) {
    add_sample(evictions, {{"reason", eviction_name(why)}}, static_cast<double>(count));
  }
  return {std::move(bytes),
          std::move(blobs),
          std::move(evictions),
          single_sample("paceline_store_quota_bytes", "Configured upper bound of the store; 0: none.",
                        MetricType::Gauge, static_cast<double>(usage.quota)),
          single_sample("paceline_store_free_bytes", "Bytes free on the store's file system.", MetricType::Gauge,
                        static_cast<double>(usage.free_bytes)),
          single_sample("paceline_prefetch_unused_bytes_total", "Bytes dropped from the store before any use.",
                        MetricType::Counter, static_cast<double>(usage.unused_bytes)),
          single_sample("paceline_content_adopted_total", "Fetched blobs that containerd took over.",
                        MetricType::Counter, static_cast<double>(usage.adoptions))};
}

Families pull_families(const std::vector<pull::PullSnapshot>& pulls) {
  using pull::PullState;
  auto active = make_family("paceline_pulls", "Pulls that have not ended, by state.", MetricType::Gauge);
  for (const auto state : {PullState::kQueued, PullState::kResolving, PullState::kFetching, PullState::kUnpacking}) {
    const auto count = std::ranges::count(pulls, state, &pull::PullSnapshot::state);
    add_sample(active, {{"state", std::string(pull::state_name(state))}}, static_cast<double>(count));
  }
  const auto waiting = std::ranges::count_if(pulls, [](const pull::PullSnapshot& pull) {
    return pull.state == PullState::kQueued && pull.source != pull::Source::kMirror;
  });
  return {std::move(active), single_sample("paceline_prefetch_queue_length", "Prefetches that wait for a place.",
                                           MetricType::Gauge, static_cast<double>(waiting))};
}

Families ended_pull_families(const EndedPulls::Snapshot& ended) {
  auto durations = make_family("paceline_image_pull_duration_seconds",
                               "From a pull's begin to its end: all blobs verified and, if asked for, all layers "
                               "unpacked.",
                               MetricType::Histogram);
  for (const auto& [labels, histogram] : ended.durations) {
    add_histogram(durations,
                  {{"source", labels.source},
                   {"result", labels.result},
                   {"policy", labels.policy},
                   {"image_size_in_bytes", labels.size}},
                  histogram);
  }
  return {std::move(durations),
          single_sample("paceline_resumed_bytes_total", "Bytes that an interrupted download had left.",
                        MetricType::Counter, static_cast<double>(ended.resumed_bytes)),
          single_sample("paceline_singleflight_hits_total", "Blobs that came with another pull's download.",
                        MetricType::Counter, static_cast<double>(ended.shared_blobs))};
}

Families record_families(const ColdStarts::Snapshot& starts, std::uint64_t dropped) {
  auto phases =
      make_family("paceline_cold_start_duration_seconds",
                  "Phases of pulls that somebody waited for, and of their first containers.", MetricType::Histogram);
  for (const auto& [labels, histogram] : starts.phases) {
    add_histogram(phases, {{"policy", labels.policy}, {"phase", labels.phase}}, histogram);
  }
  return {std::move(phases),
          single_histogram("paceline_layer_fetch_duration_seconds",
                           "From a layer's request being known to its last byte.", starts.layer_fetches),
          single_histogram("paceline_layer_unpack_duration_seconds", "Layers unpacked by the daemon.",
                           starts.layer_unpacks),
          single_sample("paceline_records_dropped_total", "News of cold starts lost, as the disk was too slow.",
                        MetricType::Counter, static_cast<double>(dropped))};
}

Families call_families(const CallTimes::Series& calls) {
  auto made = make_family("paceline_grpc_server_handling_seconds", "From a gRPC call's begin to its status.",
                          MetricType::Histogram);
  for (const auto& [method, histogram] : calls) {
    const auto slash = method.rfind('/');  // "/package.Service/Method"
    if (slash == 0 || slash == std::string::npos) continue;
    add_histogram(made, {{"grpc_service", method.substr(1, slash - 1)}, {"grpc_method", method.substr(slash + 1)}},
                  histogram);
  }
  return {std::move(made)};
}

Families build_families(const std::string& version) {
  auto made = make_family("paceline_build_info", "Always 1; the version is in its label.", MetricType::Gauge);
  add_sample(made, {{"version", version}}, 1);
  return {std::move(made)};
}

Families process_families(const ProcessUsage& usage) {
  const auto gauge = [](std::string name, std::string help, double value) {
    return single_sample(std::move(name), std::move(help), MetricType::Gauge, value);
  };
  return {gauge("process_start_time_seconds", "Start of the process, in seconds since the epoch.", usage.start_time),
          single_sample("process_cpu_seconds_total", "Processor time, user and system.", MetricType::Counter,
                        usage.cpu_seconds),
          gauge("process_resident_memory_bytes", "Memory that is resident.", static_cast<double>(usage.resident_bytes)),
          gauge("process_virtual_memory_bytes", "Memory that is mapped.", static_cast<double>(usage.virtual_bytes)),
          gauge("process_open_fds", "Open file descriptors.", static_cast<double>(usage.open_fds)),
          gauge("process_max_fds", "File descriptors that may be open.", static_cast<double>(usage.max_fds)),
          gauge("process_threads", "Threads.", static_cast<double>(usage.threads))};
}

}  // namespace paceline::metrics
