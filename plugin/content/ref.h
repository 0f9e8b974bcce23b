// What an ingest reference tells. containerd calls a blob's ingest "<namespace>/<sequence>/<kind>-sha256:<hex>".
// Pure functions; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "plugin/base/digest.h"

namespace paceline::content {

/// The digest at the end of a reference, where it ends in one.
std::optional<Digest> digest_in_ref(std::string_view ref);

}  // namespace paceline::content
