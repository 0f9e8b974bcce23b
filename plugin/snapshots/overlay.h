// How a snapshot is mounted: the options that containerd's own overlay snapshotter gives, in its order.
// Pure but for the detection; any thread.
#pragma once

#include <vector>

#include "plugin/base/result.h"
#include "plugin/snapshots/folders.h"
#include "plugin/snapshots/snapshot.h"
#include "plugin/snapshots/snapshot_table.h"

namespace paceline::snapshots {

/// What this kernel and this place need.
struct OverlayFeatures {
  bool index_off = false;   ///< The kernel knows the option: without it a layer could not serve two mounts.
  bool user_xattr = false;  ///< Inside a user namespace.
};
OverlayFeatures detect_overlay_features(const std::filesystem::path& root);

/// A single folder is bind-mounted, because overlayfs wants two at least.
std::vector<Mount> overlay_mounts(const Stack& stack, const Folders& folders, OverlayFeatures features);

}  // namespace paceline::snapshots
