// What an image's manifest and config say together of its layers: which blob makes which layer. Pure, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/digest.h"
#include "plugin/base/result.h"
#include "plugin/oci/manifest.h"

namespace paceline::layers {

struct PlannedLayer {
  Digest blob;
  std::uint64_t size = 0;  ///< Of the blob.
  std::string media_type;
  Digest diff_id;   ///< Of the layer without compression.
  Digest chain_id;  ///< Of the layer on all that lie below it: how containerd names a snapshot.
};

/// Bottom layer first. kInvalidArgument: the config is no image's, or is another image's than the manifest's.
Result<std::vector<PlannedLayer>> plan_layers(const oci::Manifest& manifest, std::string_view config);

/// OCI image-spec config.md, "Layer ChainID", of a layer that is not the bottom one.
Digest chain_id(const Digest& below, const Digest& diff_id);

}  // namespace paceline::layers
