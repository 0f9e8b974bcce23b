// Where the configuration puts things that have a default place below its root. Pure, any thread.
#pragma once

#include <filesystem>

#include "plugin/config/config.h"

namespace paceline::config {

inline std::filesystem::path content_folder(const Config& config) {
  return config.store.content.empty() ? config.root / "content" : config.store.content;
}

inline std::filesystem::path snapshotter_folder(const Config& config) {
  return config.snapshotter.root.empty() ? config.root / "snapshotter" : config.snapshotter.root;
}

inline std::filesystem::path records_folder(const Config& config) {
  return config.records.folder.empty() ? config.root / "records" : config.records.folder;
}

}  // namespace paceline::config
