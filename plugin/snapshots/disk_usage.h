// How much a folder takes, as containerd counts it: allocated blocks and inodes, each inode once, the folder included.
// Any thread; reads the whole tree.
#pragma once

#include <filesystem>

#include "plugin/base/result.h"
#include "plugin/snapshots/snapshot.h"

namespace paceline::snapshots {

Result<Usage> disk_usage(const std::filesystem::path& folder);

}  // namespace paceline::snapshots
