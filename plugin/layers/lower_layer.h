// A layer below one that is being finished: its files are read meanwhile, and may be moved, but must not be removed.
// Value; borrows the job.
#pragma once

#include <filesystem>

#include "plugin/layers/layer_job.h"

namespace paceline::layers {

struct LowerLayer {
  const LayerJob* job = nullptr;
  std::filesystem::path path;  ///< Where the files were at first; empty: with the snapshotter.
};

}  // namespace paceline::layers
