// Pulls as tables. Pure functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "paceline/v1/paceline.pb.h"
#include "plugin/cli/style.h"

namespace paceline::cli {

[[nodiscard]] std::string pulls_table(const std::vector<v1::Pull>& pulls, std::int64_t now_unix_ms, const Style& style);
/// One pull in full, and its blobs.
[[nodiscard]] std::string pull_details(const v1::Pull& pull, const Style& style);
[[nodiscard]] std::string paths_table(const std::vector<v1::Path>& paths);

}  // namespace paceline::cli
