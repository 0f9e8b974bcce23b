// Who wants to know how pulls end: the seam to whatever counts them.
// Thread rule: ended() from any thread, the network's included; it must not block.
#pragma once

#include "plugin/pull/snapshot.h"

namespace paceline::pull {

class EndListener {
 public:
  virtual ~EndListener() = default;
  /// Once for each pull that is done, failed or cancelled. Not for one that a stop of the daemon interrupts: it goes on
  /// after the next start.
  virtual void ended(const PullSnapshot& pull) = 0;
};

}  // namespace paceline::pull
