// Named paths to a registry, for predictions: "100mbps-35ms", "1gbps-5ms", "200mbps-35ms-cap5mbps",
// "50mbps-80ms-loss0.5%". Pure, any thread.
#pragma once

#include <string_view>

#include "adaptive/path_model.h"
#include "plugin/base/result.h"

namespace paceline::cli {

/// Rate of the wire, round trip, and what else limits a connection. No token, no index, no redirect: what these cost is
/// a matter of the registry, not of the path. kInvalidArgument shows how one is written.
Result<adaptive::Path> parse_path_name(std::string_view name);

}  // namespace paceline::cli
