// Who wants to see each cold-start record: metrics, for one.
// Thread rule: both functions are called on the recorder's own thread, never on a fetch path; they may take a moment.
#pragma once

#include "plugin/base/clock.h"
#include "plugin/records/cold_start.h"

namespace paceline::records {

class Listener {
 public:
  virtual ~Listener() = default;
  /// Once when a pull has ended (cold_start_ms is absent), and once more when the first container of it runs (present).
  virtual void record(const ColdStart& record) = 0;
  /// Each layer that the daemon unpacked, whether or not a pull of it is on record.
  virtual void layer_unpacked(Duration /*took*/) {}
};

}  // namespace paceline::records
