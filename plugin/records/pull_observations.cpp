#include "plugin/records/pull_observations.h"

#include <algorithm>

#include "adaptive/robust_fit.h"
#include "plugin/records/diagnosis.h"

namespace paceline::records {
namespace {

/// In a shorter transfer slow start is too much of it.
constexpr double kSettledMs = 1000;
/// Of whole transfers' rates, what counts as the path's: some had it to themselves, others did not.
constexpr double kUndisturbed = 0.9;

struct Seen {
  double rtt_ms = 0;
  std::vector<double> first_byte_ms, settled_rates, rates, stream_rates;
  std::size_t capped = 0, redirected = 0, pulls = 0;
};

adaptive::Duration from_ms(double ms) { return adaptive::from_seconds(ms / 1000); }

const Host* find_main(const ColdStart& record) {
  const auto best = std::max_element(record.hosts.begin(), record.hosts.end(), [](const Host& a, const Host& b) {
    return a.best_bytes_per_second < b.best_bytes_per_second;
  });
  return best == record.hosts.end() ? nullptr : &*best;
}

bool is_whole(const ColdStart& record) {
  return record.state == "done" && !record.mixed && record.fetched_bytes > 0 && record.resumed_bytes == 0 &&
         record.pull_ms > 0;
}

unsigned fixed_streams(const std::string& policy) {
  constexpr std::string_view kFixed = "fixed:";
  if (!policy.starts_with(kFixed)) return 0;
  unsigned streams = 0;
  for (const char digit : policy.substr(kFixed.size())) {
    if (digit < '0' || digit > '9' || streams > 1000) return 0;
    streams = streams * 10 + static_cast<unsigned>(digit - '0');
  }
  return streams;
}

}  // namespace

std::string main_host(const ColdStart& record) {
  const Host* host = find_main(record);
  return host == nullptr ? std::string() : host->host;
}

std::map<std::string, adaptive::Path> known_paths(const std::vector<ColdStart>& records) {
  std::map<std::string, Seen> hosts;
  for (const ColdStart& record : records) {
    const Host* host = find_main(record);
    if (host == nullptr || !is_whole(record)) continue;
    Seen& seen = hosts[host->host];
    if (host->rtt_ms > 0) seen.rtt_ms = seen.rtt_ms > 0 ? std::min(seen.rtt_ms, host->rtt_ms) : host->rtt_ms;
    seen.first_byte_ms.push_back(host->first_byte_ms);
    seen.rates.push_back(std::max(host->best_bytes_per_second, record.goodput_bytes_per_second));
    // A whole transfer cannot bring more than the link carries. A short while's best can: a filled hole hands over at
    // once all that waited behind it.
    const double fetch_ms = record.phase_ms("fetch");
    if (fetch_ms >= kSettledMs) {
      seen.settled_rates.push_back(static_cast<double>(record.fetched_bytes) / (fetch_ms / 1000));
    }
    ++seen.pulls;
    if (record.hosts.size() > 1) ++seen.redirected;
    if (per_stream_limit(record, *host)) {
      ++seen.capped;
      seen.stream_rates.push_back(host->stream_bytes_per_second);
    }
  }
  std::map<std::string, adaptive::Path> out;
  for (const auto& [name, seen] : hosts) {
    adaptive::Path path;
    path.rtt_registry = path.rtt_token = path.rtt_blob = from_ms(seen.rtt_ms);
    path.first_byte = from_ms(adaptive::quantile(seen.first_byte_ms, 0.5));
    path.warm.dns = true;
    path.needs_token = false;
    path.redirect = 2 * seen.redirected > seen.pulls;
    if (2 * seen.capped > seen.pulls) path.connection_cap = adaptive::quantile(seen.stream_rates, 0.5);
    const double rate = seen.settled_rates.empty() ? adaptive::quantile(seen.rates, 0.5)
                                                   : adaptive::quantile(seen.settled_rates, kUndisturbed);
    path.link_rate = rate / adaptive::kWireEfficiency;
    // Streams at a cap of their own say nothing of how much the link could bring.
    if (path.connection_cap > 0) path.link_rate = 0;
    out.emplace(name, path);
  }
  return out;
}

std::map<std::string, std::string> blob_hosts(const std::vector<ColdStart>& records) {
  std::map<std::string, std::map<std::string, std::size_t>> pulls;
  for (const ColdStart& record : records) {
    if (is_whole(record) && !record.registry.empty() && find_main(record) != nullptr) {
      ++pulls[record.registry][main_host(record)];
    }
  }
  std::map<std::string, std::string> out;
  for (const auto& [registry, hosts] : pulls) {
    const auto most =
        std::max_element(hosts.begin(), hosts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    out.emplace(registry, most->first);
  }
  return out;
}

std::optional<adaptive::PullObservation> observe(const ColdStart& record,
                                                 const std::map<std::string, adaptive::Path>& paths) {
  const auto path = paths.find(main_host(record));
  if (!is_whole(record) || path == paths.end()) return std::nullopt;
  adaptive::PullObservation out;
  out.path = path->second;
  out.path.needs_token = record.phase_ms("token") > 0;
  out.path.index = record.phase_ms("manifest") > 0;
  out.path.redirect = record.hosts.size() > 1;
  out.options.fixed_streams = fixed_streams(record.policy);
  bool all_unpacked = true;
  double unpacked_ms = 0;
  for (std::size_t i = 1; i < record.layers.size(); ++i) {  // The config is first.
    const Layer& layer = record.layers[i];
    if (layer.origin == "shared") return std::nullopt;  // Another pull's transfer, of which only a part was waited for.
    if (layer.unpack_end_ms) unpacked_ms = std::max(unpacked_ms, *layer.unpack_end_ms);
    if (layer.origin != "fetched") continue;
    out.layers.push_back({layer.size_bytes, layer.uncompressed_bytes, layer.files});
    out.unpacking.emplace_back();
    if (layer.unpack_end_ms && layer.uncompressed_bytes > 0) {
      out.unpacking.back() = {layer.inflate_cpu_ms / 1000, layer.write_cpu_ms / 1000};
    } else {
      all_unpacked = false;
    }
  }
  if (out.layers.empty()) return std::nullopt;
  out.options.unpack = all_unpacked;
  out.setup = (record.phase_ms("token") + record.phase_ms("resolve") + record.phase_ms("manifest") +
               record.phase_ms("connect")) /
              1000;
  out.fetch = record.phase_ms("fetch") / 1000;
  out.verify = record.phase_ms("verify") / 1000;
  const double end_ms = all_unpacked ? std::max(record.pull_ms, unpacked_ms) : record.pull_ms;
  out.total = (end_ms - record.phase_ms("queue")) / 1000;
  if (record.cpu_ms > 0) out.cpu = record.cpu_ms / 1000;
  return out;
}

std::vector<adaptive::PullObservation> observe_all(const std::vector<ColdStart>& records) {
  const auto paths = known_paths(records);
  std::vector<adaptive::PullObservation> out;
  for (const ColdStart& record : records) {
    if (auto pull = observe(record, paths)) out.push_back(std::move(*pull));
  }
  return out;
}

}  // namespace paceline::records
