// What cold-start records say to the pull-time model (adaptive/pull_calibration.h): each whole pull as an observation,
// and each blob host as the path that its pulls have shown. Pure functions of values; any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adaptive/pull_calibration.h"
#include "plugin/records/cold_start.h"

namespace paceline::records {

/// Blob hosts ("host:port") as paths: the smallest round trip, and the median of the best rates of their pulls.
[[nodiscard]] std::map<std::string, adaptive::Path> known_paths(const std::vector<ColdStart>& records);

/// Registries, as references name them ("docker.io") → the host of known_paths() that their blobs mostly come from:
/// that is another one where they are redirected.
[[nodiscard]] std::map<std::string, std::string> blob_hosts(const std::vector<ColdStart>& records);

/// The host that brought the most; empty: nothing was fetched.
[[nodiscard]] std::string main_host(const ColdStart& record);

/// Empty for one that says nothing: not done, nothing fetched, begun by an earlier pull, or mixed with another
/// policy's.
[[nodiscard]] std::optional<adaptive::PullObservation> observe(const ColdStart& record,
                                                               const std::map<std::string, adaptive::Path>& paths);
[[nodiscard]] std::vector<adaptive::PullObservation> observe_all(const std::vector<ColdStart>& records);

}  // namespace paceline::records
