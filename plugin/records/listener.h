// Who wants to see each cold-start record: metrics, for one.
// Thread rule: record() is called on the recorder's own thread, never on a fetch path; it may take a moment.
#pragma once

#include "plugin/records/cold_start.h"

namespace paceline::records {

class Listener {
 public:
  virtual ~Listener() = default;
  /// Once when a pull has ended (cold_start_ms is absent), and once more when the first container of it runs (present).
  virtual void record(const ColdStart& record) = 0;
};

}  // namespace paceline::records
