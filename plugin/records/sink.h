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

/// A layer that was unpacked while its bytes arrived, or right after.
struct UnpackedLayer {
  Digest blob;
  TimePoint start, end;
  std::uint64_t uncompressed_bytes = 0;  ///< Of the tar.
  std::uint64_t files = 0;               ///< Entries of the tar.
  Duration inflate_cpu{0};               ///< CPU time of inflating and hashing …
  Duration write_cpu{0};                 ///< … and of everything else.
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void pull_ended(EndedPull pull) = 0;
  virtual void layer_unpacked(const UnpackedLayer& layer) = 0;
  virtual void container_created(const std::string& containerd_namespace, const std::string& id,
                                 const std::string& image, WallTime when) = 0;
  virtual void task_started(const std::string& containerd_namespace, const std::string& id, WallTime when) = 0;
};

}  // namespace paceline::records
