// The labels with which containerd (1.7 and later) asks for a snapshot in a user namespace:
// containerd.io/snapshot/uidmapping and …/gidmapping, "container:host:count" triples with commas between them.
// Pure functions; any thread.
#pragma once

#include <optional>

#include "plugin/base/result.h"
#include "plugin/snapshots/folders.h"
#include "plugin/snapshots/snapshot.h"

namespace paceline::snapshots {

inline constexpr const char* kUserMappingLabel = "containerd.io/snapshot/uidmapping";
inline constexpr const char* kGroupMappingLabel = "containerd.io/snapshot/gidmapping";

/// Whom the container's root is outside of it; nothing without such labels. kInvalidArgument where only one is there,
/// or the container has no root.
Result<std::optional<Owner>> mapped_root(const Labels& labels);

}  // namespace paceline::snapshots
