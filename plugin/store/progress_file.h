// The record beside a partial download of which bytes are written. Small text, replaced in one step, closed by its own
// checksum: truncated or foreign content reads as "no progress", and the download starts over. Any thread.
//
// It is not synced, and neither is the data it speaks of: a process killed at any instant loses nothing, because the
// page cache survives it. A power loss may lose data that the record claims, so a record of an earlier boot is void.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "plugin/base/result.h"
#include "plugin/store/interval_set.h"

namespace paceline::store {

struct Progress {
  std::uint64_t size = 0;  ///< Of the whole blob.
  IntervalSet written;
};

Status save_progress(const std::filesystem::path& path, const Progress& progress);
/// Empty when there is none that can be trusted.
std::optional<Progress> load_progress(const std::filesystem::path& path);

}  // namespace paceline::store
