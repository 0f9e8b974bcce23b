// The second part of an unpack: what a layer extracted alone left open is taken from the layers below. Any thread; the
// layer's folder and the lower ones must not change meanwhile.
#pragma once

#include <span>

#include "plugin/base/result.h"
#include "plugin/unpack/unfinished.h"

namespace paceline::unpack {

/// `layer` and `lowers` (top first) are open upper directories. Folders the layer did not describe take owner, mode,
/// attributes and times from the topmost layer that has them, as in containerd; a hard link to a file of a lower layer
/// becomes a copy of it. kInvalidArgument: a link's target exists nowhere. kUnimplemented: see the message.
Status finish_layer(int layer, const Unfinished& unfinished, std::span<const int> lowers);

}  // namespace paceline::unpack
