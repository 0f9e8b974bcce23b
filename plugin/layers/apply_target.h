// Where the files of a layer go when containerd names mounts: a bind mount or an overlay is not mounted for that, its
// upper folder is written to directly. Pure, any thread.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <filesystem>
#include <vector>

#include "containerd/types/mount.pb.h"
#include "plugin/base/result.h"

namespace paceline::layers {

struct ApplyTarget {
  std::filesystem::path upper;
  std::vector<std::filesystem::path> lowers;  ///< Top first; none below the first layer.
};

/// kUnimplemented: mounts of another kind, or with options that change what the files must look like.
Result<ApplyTarget> apply_target(const google::protobuf::RepeatedPtrField<containerd::types::Mount>& mounts);

}  // namespace paceline::layers
