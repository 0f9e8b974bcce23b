// What is remembered of each path between pulls and over restarts: one small JSON file, written behind.
// Thread rule: any thread. A damaged or unreadable file is logged and forgotten: it is only a memory.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "adaptive/path_profile.h"
#include "plugin/base/result.h"

namespace paceline::pull {

class PathMemory {
 public:
  /// Reads `file` if there is one. An empty path: nothing is kept.
  explicit PathMemory(std::filesystem::path file);

  [[nodiscard]] std::optional<adaptive::PathProfile> recall(const std::string& host) const;
  [[nodiscard]] std::map<std::string, adaptive::PathProfile> all() const;
  void remember(const std::string& host, const adaptive::PathProfile& profile);
  /// Scheme and host that `registry` last served blobs from ("https://cdn.example"); empty: not known.
  [[nodiscard]] std::string origin(const std::string& registry) const;
  void remember_origin(const std::string& registry, const std::string& origin);
  /// Writes the file if something changed. Hosts unseen for a week are dropped with the origins on them, and the oldest
  /// past 1000.
  Status save(std::int64_t wall_seconds);

 private:
  std::filesystem::path file_;
  mutable std::mutex mutex_;
  std::map<std::string, adaptive::PathProfile> profiles_;
  std::map<std::string, std::string> origins_;  // by registry
  bool changed_ = false;
};

}  // namespace paceline::pull
