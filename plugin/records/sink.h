// Where the daemon's parts tell what a cold-start record is made of.
// Thread rule: any thread; no call blocks or throws. What comes too fast is dropped and counted.
#pragma once

#include <string>

#include "plugin/base/clock.h"
#include "plugin/base/digest.h"
#include "plugin/records/cold_start.h"

namespace paceline::records {

struct EndedPull {
  ColdStart record;
  TimePoint started;  ///< What the record's milliseconds count from.
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void pull_ended(EndedPull pull) = 0;
  /// Unpacked while its bytes arrived, or right after.
  virtual void layer_unpacked(const Digest& blob, TimePoint start, TimePoint end) = 0;
  virtual void container_created(const std::string& containerd_namespace, const std::string& id,
                                 const std::string& image, WallTime when) = 0;
  virtual void task_started(const std::string& containerd_namespace, const std::string& id, WallTime when) = 0;
};

}  // namespace paceline::records
