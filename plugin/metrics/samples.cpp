#include "plugin/metrics/samples.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <utility>

namespace paceline::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

MetricFamily family(std::string name, std::string help, MetricType type) {
  MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

void add(MetricFamily& family, Labels labels, double value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  (family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  family.metric.push_back(std::move(metric));
}

MetricFamily single(std::string name, std::string help, MetricType type, double value) {
  auto made = family(std::move(name), std::move(help), type);
  add(made, {}, value);
  return made;
}

struct PathSums {
  std::uint64_t bytes = 0, requests = 0, retries = 0, throttled = 0;
  std::uint64_t limit = 0, active = 0;
  double rtt = 0, first_byte = 0;  ///< The slowest path's: what an alert is about.
};

}  // namespace

Families store_families(const store::Usage& usage) {
  auto bytes = family("paceline_store_bytes", "Bytes in the store by state.", MetricType::Gauge);
  add(bytes, {{"state", "listed"}}, static_cast<double>(usage.listed_bytes));
  add(bytes, {{"state", "hidden"}}, static_cast<double>(usage.hidden_bytes));
  add(bytes, {{"state", "partial"}}, static_cast<double>(usage.partial_bytes));
  auto blobs = family("paceline_store_blobs", "Blobs in the store by state.", MetricType::Gauge);
  add(blobs, {{"state", "listed"}}, static_cast<double>(usage.listed_blobs));
  add(blobs, {{"state", "hidden"}}, static_cast<double>(usage.hidden_blobs));
  return {std::move(bytes), std::move(blobs),
          single("paceline_store_quota_bytes", "Configured upper bound of the store; 0: none.", MetricType::Gauge,
                 static_cast<double>(usage.quota)),
          single("paceline_store_free_bytes", "Bytes free on the store's file system.", MetricType::Gauge,
                 static_cast<double>(usage.free_bytes)),
          single("paceline_store_evictions_total", "Prefetched blobs dropped for room.", MetricType::Counter,
                 static_cast<double>(usage.evictions))};
}

Families path_families(const std::vector<pull::PathSnapshot>& paths, HostLabels& labels) {
  std::map<std::string, PathSums> sums;
  for (const auto& path : paths) {
    auto& sum = sums[labels.label(path.host)];
    sum.bytes += path.bytes;
    sum.requests += path.requests;
    sum.retries += path.retries;
    sum.throttled += path.throttled;
    sum.limit += path.limit;
    sum.active += path.active;
    sum.rtt = std::max(sum.rtt, path.rtt_seconds);
    sum.first_byte = std::max(sum.first_byte, path.first_byte_seconds);
  }
  const auto each = [&](std::string name, std::string help, MetricType type, auto field) {
    auto made = family(std::move(name), std::move(help), type);
    for (const auto& [host, sum] : sums) add(made, {{"registry", host}}, static_cast<double>(sum.*field));
    return made;
  };
  return {each("paceline_path_bytes_total", "Bytes fetched from the blob host.", MetricType::Counter, &PathSums::bytes),
          each("paceline_path_requests_total", "Range requests to the blob host.", MetricType::Counter,
               &PathSums::requests),
          each("paceline_path_retries_total", "Ranges asked for again.", MetricType::Counter, &PathSums::retries),
          each("paceline_registry_throttled_total", "Answers that told to slow down.", MetricType::Counter,
               &PathSums::throttled),
          each("paceline_concurrency_limit", "Streams that are allowed now.", MetricType::Gauge, &PathSums::limit),
          each("paceline_concurrency_in_flight", "Streams under way now.", MetricType::Gauge, &PathSums::active),
          each("paceline_registry_rtt_seconds", "Round-trip time to the blob host.", MetricType::Gauge, &PathSums::rtt),
          each("paceline_registry_time_to_first_byte_seconds", "From a range request to its first byte.",
               MetricType::Gauge, &PathSums::first_byte)};
}

Families pull_families(const std::vector<pull::PullSnapshot>& pulls) {
  using pull::PullState;
  auto active = family("paceline_pulls", "Pulls that have not ended, by state.", MetricType::Gauge);
  for (const auto state : {PullState::kQueued, PullState::kResolving, PullState::kFetching, PullState::kUnpacking}) {
    const auto count = std::ranges::count(pulls, state, &pull::PullSnapshot::state);
    add(active, {{"state", std::string(pull::state_name(state))}}, static_cast<double>(count));
  }
  const auto waiting = std::ranges::count_if(pulls, [](const pull::PullSnapshot& pull) {
    return pull.state == PullState::kQueued && pull.source == pull::Source::kPrefetch;
  });
  return {std::move(active), single("paceline_prefetch_queue_length", "Prefetches that wait for a place.",
                                    MetricType::Gauge, static_cast<double>(waiting))};
}

Families duration_families(const PullDurations::Series& series) {
  auto made = family("paceline_image_pull_duration_seconds",
                     "From a pull's begin to its end: all blobs verified and, if asked for, all layers unpacked.",
                     MetricType::Histogram);
  for (const auto& [labels, histogram] : series) {
    ClientMetric metric;
    metric.label = {{"source", labels.source},
                    {"result", labels.result},
                    {"policy", labels.policy},
                    {"image_size_in_bytes", labels.size}};
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < PullDurations::kBounds.size(); ++i) {
      count += histogram.counts.at(i);
      metric.histogram.bucket.push_back({.cumulative_count = count, .upper_bound = PullDurations::kBounds.at(i)});
    }
    metric.histogram.sample_count = count + histogram.counts.back();
    metric.histogram.sample_sum = histogram.seconds;
    made.metric.push_back(std::move(metric));
  }
  return {std::move(made)};
}

Families build_families(const std::string& version) {
  auto made = family("paceline_build_info", "Always 1; the version is in its label.", MetricType::Gauge);
  add(made, {{"version", version}}, 1);
  return {std::move(made)};
}

Families process_families(const ProcessUsage& usage) {
  return {
      single("process_start_time_seconds", "Start of the process, in seconds since the epoch.", MetricType::Gauge,
             usage.start_time),
      single("process_cpu_seconds_total", "Processor time, user and system.", MetricType::Counter, usage.cpu_seconds),
      single("process_resident_memory_bytes", "Memory that is resident.", MetricType::Gauge,
             static_cast<double>(usage.resident_bytes)),
      single("process_open_fds", "Open file descriptors.", MetricType::Gauge, static_cast<double>(usage.open_fds))};
}

std::string to_text(const Families& families) { return prometheus::TextSerializer().Serialize(families); }

}  // namespace paceline::metrics
