#include "plugin/metrics/cold_starts.h"

#include <chrono>

namespace paceline::metrics {
namespace {

constexpr double kMsPerSecond = 1000;

/// Those of the container come after the pull's end, and with the second telling.
bool told_before(const records::Phase& phase, const records::ColdStart& record) {
  return record.cold_start_ms.has_value() && phase.start_ms < record.pull_ms;
}

/// What the time says something about: nothing of a policy where two shared a path, or where nothing was to fetch.
std::string policy_of(const records::ColdStart& record) {
  if (record.mixed) return "mixed";
  return record.fetched_bytes > 0 ? record.policy : "none";
}

}  // namespace

void ColdStarts::record(const records::ColdStart& record) {
  const std::lock_guard lock(mutex_);
  const std::string policy = policy_of(record);
  const auto observe = [&](const std::string& phase, double ms) {
    seen_.phases.try_emplace({policy, phase}, kBounds).first->second.observe(ms / kMsPerSecond);
  };
  const bool first = !record.cold_start_ms;
  if (record.state == "done" && record.source != "prefetch") {
    for (const auto& phase : record.phases) {
      if (!told_before(phase, record)) observe(phase.name, phase.end_ms - phase.start_ms);
    }
    first ? observe("pull", record.pull_ms) : observe("total", *record.cold_start_ms);
  }
  if (!first) return;
  for (std::size_t i = 1; i < record.layers.size(); ++i) {  // The config is the first.
    const auto& layer = record.layers[i];
    if (layer.origin != "fetched" || !layer.located_ms || !layer.verified_ms || !layer.last_byte_ms) continue;
    seen_.layer_fetches.observe((*layer.last_byte_ms - *layer.located_ms) / kMsPerSecond);
  }
}

void ColdStarts::layer_unpacked(Duration took) {
  const std::lock_guard lock(mutex_);
  seen_.layer_unpacks.observe(std::chrono::duration<double>(took).count());
}

ColdStarts::Snapshot ColdStarts::snapshot() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

}  // namespace paceline::metrics
