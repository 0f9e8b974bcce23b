// Which packages are there to build with only, and that nothing which stays needs. Pure functions, any thread.
#pragma once

#include <vector>

#include "plugin/analyze/package.h"

namespace paceline::analyze {

/// Sets build_only. A candidate is what its section or name says is for development (compilers, headers, build tools);
/// it stays if it is required, if a package that stays depends on it at run time, directly or through others, or, for
/// compilers, if a package is there that compiles at run time.
void find_build_only(std::vector<Package>& packages);

/// By its name and section alone.
[[nodiscard]] bool is_for_building(const Package& package);

}  // namespace paceline::analyze
