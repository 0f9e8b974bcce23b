// Who wants to know what a pull is about to bring: the seam to the unpacking of layers while they arrive.
// Thread rule: planned() from any thread; it must not block.
#pragma once

#include "plugin/oci/manifest.h"

namespace paceline::pull {

class PlanListener {
 public:
  virtual ~PlanListener() = default;
  /// containerd pulls this image, and each of its blobs is in the store or in the flight table. It may be told again
  /// of a manifest within one pull.
  virtual void planned(const oci::Manifest& manifest) = 0;
};

}  // namespace paceline::pull
