// Blobs, pins and evictions as text. Pure functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "paceline/v1/paceline.pb.h"

namespace paceline::cli {

[[nodiscard]] std::string blobs_table(const std::vector<v1::Blob>& blobs, std::int64_t now_unix_ms);
[[nodiscard]] std::string pins_table(const std::vector<v1::Pinned>& pins);
/// "evicted 3 blobs, 40.1 MB; kept 2 blobs that are listed or pinned"
[[nodiscard]] std::string eviction_text(const v1::EvictResponse& response);

}  // namespace paceline::cli
