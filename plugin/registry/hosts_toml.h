// Parses containerd's hosts.toml (containerd docs/hosts.md). Pure function of its text, any thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "plugin/registry/endpoint.h"

namespace paceline::registry {

/// The mirrors in the order of the file, then the registry itself. Relative paths start at the file's folder.
/// kInvalidArgument names file and line; an unknown key is only logged, so that a newer containerd's file still works.
Result<std::vector<Endpoint>> parse_hosts_toml(const std::string& text, const std::filesystem::path& file,
                                               const std::string& registry);

}  // namespace paceline::registry
