// The families that have a `registry` label.
#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "plugin/metrics/samples.h"

namespace paceline::metrics {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

struct PathSums {
  std::uint64_t limit = 0, active = 0, range_fallbacks = 0;
  std::uint64_t foreground_bytes = 0, prefetch_bytes = 0;
  double rtt = 0, first_byte = 0;  ///< The slowest path's: what an alert is about.
  std::map<pull::Retry, std::uint64_t> retries;
  std::map<std::pair<adaptive::Reason, bool>, std::uint64_t> changes;
};
using SumsByLabel = std::map<std::string, PathSums>;

SumsByLabel add_up(const std::vector<pull::PathSnapshot>& paths, HostLabels& labels) {
  SumsByLabel sums;
  for (const auto& path : paths) {
    auto& sum = sums[labels.label(path.host)];
    sum.limit += path.limit;
    sum.active += path.active;
    sum.range_fallbacks += path.counts.range_fallbacks;
    sum.foreground_bytes += path.counts.foreground_bytes;
    sum.prefetch_bytes += path.counts.prefetch_bytes;
    sum.rtt = std::max(sum.rtt, path.rtt_seconds);
    sum.first_byte = std::max(sum.first_byte, path.rtt_seconds + path.first_byte_seconds);
    for (const auto& [reason, count] : path.counts.retries) sum.retries[reason] += count;
    for (const auto& [change, count] : path.counts.changes) sum.changes[change] += count;
  }
  return sums;
}

MetricFamily fetched_bytes(const SumsByLabel& sums) {
  auto made = make_family("paceline_fetch_bytes_total", "Bytes of blobs fetched from the host.", MetricType::Counter);
  for (const auto& [host, sum] : sums) {
    add_sample(made, {{"registry", host}, {"source", "foreground"}}, static_cast<double>(sum.foreground_bytes));
    add_sample(made, {{"registry", host}, {"source", "prefetch"}}, static_cast<double>(sum.prefetch_bytes));
  }
  return made;
}

MetricFamily retries(const SumsByLabel& sums) {
  auto made =
      make_family("paceline_registry_retries_total", "Byte ranges asked for again, by reason.", MetricType::Counter);
  for (const auto& [host, sum] : sums) {
    for (const auto& [reason, count] : sum.retries) {
      add_sample(made, {{"registry", host}, {"reason", std::string(pull::retry_name(reason))}},
                 static_cast<double>(count));
    }
  }
  return made;
}

MetricFamily changes(const SumsByLabel& sums) {
  auto made =
      make_family("paceline_concurrency_changes_total",
                  "Changes of the number of streams, by direction and the controller's reason.", MetricType::Counter);
  for (const auto& [host, sum] : sums) {
    for (const auto& [change, count] : sum.changes) {
      add_sample(made,
                 {{"registry", host},
                  {"direction", change.second ? "up" : "down"},
                  {"reason", std::string(adaptive::reason_name(change.first))}},
                 static_cast<double>(count));
    }
  }
  return made;
}

/// The statuses that registries use (RFC 9110, OCI distribution-spec) by number; others by class, as a server may
/// answer with any of 900. "none": no answer.
std::string code_label(int status) {
  constexpr std::array kKnown = {200, 201, 202, 204, 206, 301, 302, 303, 307, 308, 400, 401, 403,
                                 404, 405, 408, 410, 416, 425, 429, 500, 501, 502, 503, 504};
  if (status == 0) return "none";
  if (std::ranges::find(kKnown, status) != kKnown.end()) return std::to_string(status);
  return std::to_string(status / 100) + "xx";
}

}  // namespace

Families path_families(const std::vector<pull::PathSnapshot>& paths, HostLabels& labels) {
  const auto sums = add_up(paths, labels);
  const auto each = [&](std::string name, std::string help, MetricType type, auto field) {
    auto made = make_family(std::move(name), std::move(help), type);
    for (const auto& [host, sum] : sums) add_sample(made, {{"registry", host}}, static_cast<double>(sum.*field));
    return made;
  };
  return {fetched_bytes(sums),
          retries(sums),
          changes(sums),
          each("paceline_concurrency_limit", "Streams that are allowed now.", MetricType::Gauge, &PathSums::limit),
          each("paceline_concurrency_in_flight", "Streams under way now.", MetricType::Gauge, &PathSums::active),
          each("paceline_range_fallback_total", "Times that the host was found not to serve byte ranges.",
               MetricType::Counter, &PathSums::range_fallbacks),
          each("paceline_registry_rtt_seconds", "Round-trip time to the blob host.", MetricType::Gauge, &PathSums::rtt),
          each("paceline_registry_time_to_first_byte_seconds", "From a range request to its first byte.",
               MetricType::Gauge, &PathSums::first_byte)};
}

Families request_families(const std::vector<net::RequestCount>& requests, HostLabels& labels) {
  static const std::string kOther = "other";
  std::map<std::pair<std::string, std::string>, std::uint64_t> sums;
  std::map<std::string, std::uint64_t> throttled;
  for (const auto& entry : requests) {
    const std::string& host = entry.host.empty() ? kOther : labels.label(entry.host);
    sums[{host, code_label(entry.status)}] += entry.count;
    throttled[host] += entry.status == 429 || entry.status == 503 ? entry.count : 0;
  }
  auto made = make_family("paceline_registry_requests_total",
                          "HTTP requests of the daemon to the host, by the answer's status.", MetricType::Counter);
  for (const auto& [key, count] : sums) {
    add_sample(made, {{"registry", key.first}, {"code", key.second}}, static_cast<double>(count));
  }
  auto slowed = make_family("paceline_registry_throttled_total", "Answers that told to slow down: 429, 503.",
                            MetricType::Counter);
  for (const auto& [host, count] : throttled) add_sample(slowed, {{"registry", host}}, static_cast<double>(count));
  return {std::move(made), std::move(slowed)};
}

}  // namespace paceline::metrics
