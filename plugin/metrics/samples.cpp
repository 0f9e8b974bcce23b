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
  made.name = "paceline_" + std::move(name);
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
  auto bytes = family("store_bytes", "Bytes in the store by state.", MetricType::Gauge);
  add(bytes, {{"state", "listed"}}, static_cast<double>(usage.listed_bytes));
  add(bytes, {{"state", "hidden"}}, static_cast<double>(usage.hidden_bytes));
  add(bytes, {{"state", "partial"}}, static_cast<double>(usage.partial_bytes));
  auto blobs = family("store_blobs", "Blobs in the store by state.", MetricType::Gauge);
  add(blobs, {{"state", "listed"}}, static_cast<double>(usage.listed_blobs));
  add(blobs, {{"state", "hidden"}}, static_cast<double>(usage.hidden_blobs));
  return {std::move(bytes), std::move(blobs),
          single("store_quota_bytes", "Configured upper bound of the store; 0: none.", MetricType::Gauge,
                 static_cast<double>(usage.quota)),
          single("store_free_bytes", "Bytes free on the store's file system.", MetricType::Gauge,
                 static_cast<double>(usage.free_bytes)),
          single("store_evictions_total", "Prefetched blobs dropped for room.", MetricType::Counter,
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
  return {
      each("path_bytes_total", "Bytes fetched from the blob host.", MetricType::Counter, &PathSums::bytes),
      each("path_requests_total", "Range requests to the blob host.", MetricType::Counter, &PathSums::requests),
      each("path_retries_total", "Ranges asked for again.", MetricType::Counter, &PathSums::retries),
      each("registry_throttled_total", "Answers that told to slow down.", MetricType::Counter, &PathSums::throttled),
      each("concurrency_limit", "Streams that are allowed now.", MetricType::Gauge, &PathSums::limit),
      each("concurrency_in_flight", "Streams under way now.", MetricType::Gauge, &PathSums::active),
      each("registry_rtt_seconds", "Round-trip time to the blob host.", MetricType::Gauge, &PathSums::rtt),
      each("registry_time_to_first_byte_seconds", "From a range request to its first byte.", MetricType::Gauge,
           &PathSums::first_byte)};
}

Families pull_families(const std::vector<pull::PullSnapshot>& pulls) {
  using pull::PullState;
  auto active = family("pulls", "Pulls that have not ended, by state.", MetricType::Gauge);
  for (const auto state : {PullState::kQueued, PullState::kResolving, PullState::kFetching}) {
    const auto count = std::ranges::count(pulls, state, &pull::PullSnapshot::state);
    add(active, {{"state", std::string(pull::state_name(state))}}, static_cast<double>(count));
  }
  const auto waiting = std::ranges::count_if(pulls, [](const pull::PullSnapshot& pull) {
    return pull.state == PullState::kQueued && pull.source == pull::Source::kPrefetch;
  });
  return {std::move(active), single("prefetch_queue_length", "Prefetches that wait for a place.", MetricType::Gauge,
                                    static_cast<double>(waiting))};
}

std::string to_text(const Families& families) { return prometheus::TextSerializer().Serialize(families); }

}  // namespace paceline::metrics
