// The one list of all settings. Parser, default file, differences and docs are made from it, so that a key is written
// down once. Built once, then only read; any thread.
#pragma once

#include <toml++/toml.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/result.h"
#include "plugin/config/config.h"

namespace paceline::config {

/// Whether a reload (SIGHUP) applies a new value or only a restart does.
enum class Takes { kEffectAtOnce, kRestart };

template <class Owner>
struct Key {
  std::string name;      ///< "fetch.retries"
  std::string_view doc;  ///< One or two sentences, without line breaks.
  Takes takes;
  std::string range;  ///< From the smallest to the largest value, for the docs; empty: none, or `doc` says it.
  std::function<Status(Owner&, const toml::node&)> read;
  std::function<std::string(const Owner&)> write;  ///< The value as TOML.
};

/// Sets one key that takes a text, by the file's own checks. The error does not name the key.
Status set_text(Config& config, std::string_view key, const std::string& value);

/// Keys of [concurrency] and of each [concurrency.registry."HOST"], names without their table.
const std::vector<Key<Concurrency>>& concurrency_keys();
/// All keys but the per-registry ones, grouped by table, in the order of the default file.
const std::vector<Key<Config>>& keys();

/// The table that holds one table a registry.
inline constexpr std::string_view kRegistryTables = "concurrency.registry";

}  // namespace paceline::config
