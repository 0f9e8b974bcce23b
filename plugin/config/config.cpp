// What is derived from the list of keys besides the parser: the default file, the docs table, and differences.
#include "plugin/config/config.h"

#include <set>

#include "plugin/config/keys.h"
#include "plugin/config/value.h"

namespace paceline::config {
namespace {

std::string table_of(const std::string& name) {
  const auto dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

std::string leaf_of(const std::string& name) { return name.substr(name.rfind('.') + 1); }

// Comment lines of at most `width` characters.
std::string comment(std::string_view text, std::size_t width = 100) {
  std::string out;
  while (!text.empty()) {
    auto end = text.size() <= width ? text.size() : text.rfind(' ', width);
    if (end == std::string_view::npos) end = text.size();
    out += "# " + std::string(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return out;
}

const Concurrency& effective(const Config& config, const std::string& host) {
  const auto own = config.concurrency_by_registry.find(host);
  return own == config.concurrency_by_registry.end() ? config.concurrency : own->second;
}

}  // namespace

std::string default_toml() {
  const Config defaults;
  std::string out =
      "# Configuration of pacelined. Every key is optional; the values shown are the defaults.\n"
      "# Sizes: \"512MiB\", \"20GB\" or a number of bytes. Durations: \"250ms\", \"15s\", \"5m\", \"2h\", \"7d\".\n"
      "# Check a changed file with `pacelined config check`; SIGHUP makes the daemon read it again.\n\n"
      "version = 1\n";
  std::string table;
  for (const auto& key : keys()) {
    if (table_of(key.name) != table) {
      table = table_of(key.name);
      out += "\n[" + table + "]\n";
    } else {
      out += "\n";
    }
    out += comment(key.doc) + "#" + leaf_of(key.name) + " = " + key.write(defaults) + "\n";
  }
  out +=
      "\n# One registry may differ (the host as in an image reference, or a blob host):\n"
      "#   [concurrency.registry.\"ghcr.io\"]\n"
      "#   max_streams = 8\n";
  return out;
}

std::string reference_markdown() {
  const Config defaults;
  std::string out = "| key | default | range | a reload applies it | meaning |\n|---|---|---|---|---|\n";
  for (const auto& key : keys()) {
    out += "| `" + key.name + "` | `" + key.write(defaults) + "` | " + key.range + (key.range.empty() ? "| " : " | ") +
           (key.takes == Takes::kEffectAtOnce ? "yes" : "restart") + " | " + std::string(key.doc) + " |\n";
  }
  return out;
}

std::vector<Change> differences(const Config& before, const Config& after) {
  std::vector<Change> changes;
  const auto compare = [&](const auto& key, const std::string& name, const auto& old_owner, const auto& new_owner) {
    std::string was = key.write(old_owner);
    std::string is = key.write(new_owner);
    if (was != is) changes.push_back({name, std::move(was), std::move(is), key.takes == Takes::kEffectAtOnce});
  };
  for (const auto& key : keys()) compare(key, key.name, before, after);
  // A registry without a table of its own follows [concurrency], whose changes are named above already.
  std::set<std::string> hosts;
  for (const auto& entry : before.concurrency_by_registry) hosts.insert(entry.first);
  for (const auto& entry : after.concurrency_by_registry) hosts.insert(entry.first);
  for (const auto& host : hosts) {
    for (const auto& key : concurrency_keys()) {
      compare(key, std::string(kRegistryTables) + "." + in_quotes(host) + "." + key.name, effective(before, host),
              effective(after, host));
    }
  }
  return changes;
}

}  // namespace paceline::config
