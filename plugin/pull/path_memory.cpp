#include "plugin/pull/path_memory.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/net/url.h"

namespace paceline::pull {
namespace {

using adaptive::PathProfile;
using nlohmann::json;

constexpr std::size_t kMaxHosts = 1000;

json to_json(const PathProfile& p) {
  json out = {{"streams", p.streams},
              {"rtt_min_ns", p.rtt_min.count()},
              {"goodput_bytes_per_second", p.goodput},
              {"stream_bytes_per_second", p.stream_rate},
              {"throttle_ceiling", p.throttle_ceiling},
              {"observed_at", p.observed_at},
              {"throttled_at", p.throttled_at}};
  if (p.ranges_ok) out["ranges_ok"] = *p.ranges_ok;
  return out;
}

PathProfile from_json(const json& in) {
  PathProfile p;
  p.streams = in.value("streams", 0U);
  p.rtt_min = adaptive::Duration(in.value("rtt_min_ns", std::int64_t{0}));
  p.goodput = in.value("goodput_bytes_per_second", 0.0);
  p.stream_rate = in.value("stream_bytes_per_second", 0.0);
  p.throttle_ceiling = in.value("throttle_ceiling", 0U);
  p.observed_at = in.value("observed_at", std::int64_t{0});
  p.throttled_at = in.value("throttled_at", std::int64_t{0});
  if (in.contains("ranges_ok")) p.ranges_ok = in.at("ranges_ok").get<bool>();
  return p;
}

}  // namespace

PathMemory::PathMemory(std::filesystem::path file) : file_(std::move(file)) {
  if (file_.empty()) return;
  const auto text = read_file(file_);
  if (!text) {
    if (text.error().code != Code::kNotFound) spdlog::warn("path memory not read: {}", text.error().message);
    return;
  }
  try {
    const json document = json::parse(*text);
    for (const auto& [host, profile] : document.at("paths").items()) profiles_[host] = from_json(profile);
    if (document.contains("origins")) origins_ = document.at("origins").get<decltype(origins_)>();
  } catch (const json::exception& error) {
    spdlog::warn("path memory {} is damaged and forgotten: {}", file_.string(), error.what());
    profiles_.clear();
    origins_.clear();
  }
}

std::optional<PathProfile> PathMemory::recall(const std::string& host) const {
  const std::lock_guard lock(mutex_);
  const auto it = profiles_.find(host);
  if (it == profiles_.end()) return std::nullopt;
  return it->second;
}

std::map<std::string, PathProfile> PathMemory::all() const {
  const std::lock_guard lock(mutex_);
  return profiles_;
}

void PathMemory::remember(const std::string& host, const PathProfile& profile) {
  const std::lock_guard lock(mutex_);
  profiles_[host] = profile;
  changed_ = true;
}

std::string PathMemory::origin(const std::string& registry) const {
  const std::lock_guard lock(mutex_);
  const auto it = origins_.find(registry);
  return it == origins_.end() ? std::string() : it->second;
}

void PathMemory::remember_origin(const std::string& registry, const std::string& origin) {
  const std::lock_guard lock(mutex_);
  std::string& kept = origins_[registry];
  if (kept == origin) return;
  kept = origin;
  changed_ = true;
}

Status PathMemory::save(std::int64_t wall_seconds) {
  json paths = json::object();
  json origins;
  {
    const std::lock_guard lock(mutex_);
    if (!changed_ || file_.empty()) return {};
    changed_ = false;
    std::erase_if(profiles_, [&](const auto& entry) {
      return wall_seconds - entry.second.observed_at > adaptive::kProfileLifeSeconds;
    });
    while (profiles_.size() > kMaxHosts) {
      profiles_.erase(std::min_element(profiles_.begin(), profiles_.end(), [](const auto& a, const auto& b) {
        return a.second.observed_at < b.second.observed_at;
      }));
    }
    for (const auto& [host, profile] : profiles_) paths[host] = to_json(profile);
    std::erase_if(origins_, [&](const auto& entry) {
      const auto host = net::host_key(entry.second);
      return !host || !profiles_.contains(*host);
    });
    origins = origins_;
  }
  return write_file_atomically(file_, json{{"version", 1}, {"paths", paths}, {"origins", origins}}.dump(1),
                               Durability::kProcessCrash);
}

}  // namespace paceline::pull
