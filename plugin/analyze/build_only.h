// Which packages are there to build with only, and that nothing which stays needs. Pure functions, any thread.
#pragma once

#include <vector>

#include "plugin/analyze/package.h"

namespace paceline::analyze {

/// Sets build_only. A candidate is what its section or name says is for development (compilers, headers, build tools);
/// it stays if it is required, or if a package that stays depends on it at run time, directly or through others. Where
/// something compiles at run time all of them stay.
void find_build_only(std::vector<Package>& packages);

/// Whether one of them calls a compiler while the application runs: then that needs linker, headers and libraries too.
[[nodiscard]] bool compiles_at_run_time(const std::vector<Package>& packages);

/// By its name, section and paths alone.
[[nodiscard]] bool is_for_building(const Package& package);

}  // namespace paceline::analyze
