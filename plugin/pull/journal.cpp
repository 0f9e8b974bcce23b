#include "plugin/pull/journal.h"

#include <nlohmann/json.hpp>

#include "plugin/base/files.h"
#include "plugin/base/log.h"

namespace paceline::pull {

using nlohmann::json;

std::vector<JournalEntry> Journal::load() const {
  const auto text = read_file(file_);
  if (!text) {
    if (text.error().code != Code::kNotFound) spdlog::warn("journal of pulls not read: {}", text.error().message);
    return {};
  }
  std::vector<JournalEntry> entries;
  try {
    const json document = json::parse(*text);
    for (const json& item : document.at("pulls")) {
      JournalEntry entry;
      entry.image = item.at("image").get<std::string>();
      entry.platform = item.value("platform", "");
      entry.own_rights = item.value("own_rights", true);
      entry.foreground = item.value("foreground", false);
      entry.pin = item.value("pin", false);
      entry.unpack = item.value("unpack", false);
      if (item.contains("manifest")) {
        const auto digest = Digest::parse(item.at("manifest").get<std::string>());
        if (digest) entry.manifest = *digest;
      }
      entries.push_back(std::move(entry));
    }
  } catch (const json::exception& error) {
    spdlog::warn("journal of pulls {} is damaged and forgotten: {}", file_.string(), error.what());
    return {};
  }
  return entries;
}

Status Journal::save(const std::vector<JournalEntry>& entries) {
  json pulls = json::array();
  for (const auto& entry : entries) {
    json item = {{"image", entry.image},           {"platform", entry.platform}, {"own_rights", entry.own_rights},
                 {"foreground", entry.foreground}, {"pin", entry.pin},           {"unpack", entry.unpack}};
    if (entry.manifest) item["manifest"] = entry.manifest->to_string();
    pulls.push_back(std::move(item));
  }
  const std::lock_guard lock(mutex_);
  return write_file_atomically(file_, json{{"version", 1}, {"pulls", pulls}}.dump(1), Durability::kProcessCrash);
}

}  // namespace paceline::pull
