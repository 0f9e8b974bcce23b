// What the status page shows, as JSON: pulls under way (and those that failed just now), paths, recent cold starts.
// What it holds of others' making (image names, hosts, errors) is text like any other, and escaped as JSON; what is no
// UTF-8 is replaced. Pure, any thread.
#pragma once

#include <string>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/pull/snapshot.h"
#include "plugin/records/cold_start.h"

namespace paceline::status {

struct State {
  std::string version;
  WallTime now;
  std::vector<pull::PullSnapshot> pulls;  ///< Newest first.
  std::vector<pull::PathSnapshot> paths;
  std::vector<records::ColdStart> starts;  ///< Newest first.
};

/// Times in milliseconds, sizes in bytes.
[[nodiscard]] std::string to_json(const State& state);

}  // namespace paceline::status
