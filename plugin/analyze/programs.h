// What the image is there to run: programs and files that its Entrypoint and Cmd name. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "plugin/analyze/image_source.h"
#include "plugin/analyze/image_tree.h"
#include "plugin/analyze/package.h"

namespace paceline::analyze {

/// Numbers of the tree's files: what the words of the command name, and the symlinks that lead there. Each word counts,
/// because a shell, an init or a script of the image often comes first and runs the rest.
[[nodiscard]] std::set<std::uint32_t> find_programs(const StartCommand& start, const ImageTree& tree);

/// Whoever lists one of them is required.
void require_owners(const std::set<std::uint32_t>& programs, const ImageTree& tree, std::vector<Package>& packages);

}  // namespace paceline::analyze
