// Who unpacks a layer into the mounts that containerd names: the seam to the unpack engine.
// Thread rule: apply() from the differ's threads, several at a time; it may take as long as it must.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <stop_token>

#include "containerd/types/descriptor.pb.h"
#include "containerd/types/mount.pb.h"
#include "plugin/base/result.h"

namespace paceline::differ {

struct LayerToApply {
  containerd::types::Descriptor layer;
  google::protobuf::RepeatedPtrField<containerd::types::Mount> mounts;
  bool sync = false;  ///< Whether the files must survive a power loss when it returns (containerd 2.0 and later).
};

class LayerApplier {
 public:
  virtual ~LayerApplier() = default;
  /// The descriptor of the uncompressed archive. kUnimplemented, before anything is written, lets containerd's next
  /// differ take over. `stop`: the client has gone; what is half done stays where it is, for containerd to remove.
  virtual Result<containerd::types::Descriptor> apply(const LayerToApply& what, std::stop_token stop) = 0;
};

}  // namespace paceline::differ
