// Reads an image's config from the store and makes the plan of its layers. Any thread; waits for the disk.
#pragma once

#include <vector>

#include "plugin/layers/image_plan.h"
#include "plugin/store/store.h"

namespace paceline::layers {

/// kNotFound when the config is not in the store.
Result<std::vector<PlannedLayer>> read_plan(store::Store& store, const oci::Manifest& manifest);

}  // namespace paceline::layers
