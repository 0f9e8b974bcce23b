// The plan of one pull: which blobs an image's manifest asks for. Pure. Any thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "plugin/oci/manifest.h"

namespace paceline::pull {

/// The blobs to fetch, each digest once: the config first (containerd reads it first), then the layers, bottom layer
/// first, so that unpacking can follow. Foreign layers are not the registry's and are left to containerd.
/// kInvalidArgument when one digest appears with two sizes.
Result<std::vector<oci::Descriptor>> plan_blobs(const oci::Manifest& manifest);

}  // namespace paceline::pull
