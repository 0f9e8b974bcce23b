// Who wants to know what a pull is about to bring: the seam to the unpacking of layers while they arrive.
// Thread rule: any thread; no call may wait for anything but the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "plugin/base/digest.h"
#include "plugin/base/result.h"
#include "plugin/oci/manifest.h"

namespace paceline::pull {

enum class UnpackState { kNone, kWaiting, kUnpacking, kUnpacked, kFailed };

struct LayerProgress {
  Digest blob;
  UnpackState state = UnpackState::kNone;
  std::uint64_t bytes = 0;  ///< Of the blob, unpacked so far.
};

/// How far the layers of one image are. Any thread.
class UnpackProgress {
 public:
  virtual ~UnpackProgress() = default;
  [[nodiscard]] virtual std::vector<LayerProgress> layers() const = 0;
};

class PlanListener {
 public:
  using Unpacked = std::function<void(const Status&)>;

  virtual ~PlanListener() = default;
  /// Somebody pulls this image, and each of its blobs is in the store or in the flight table. It may be told again of
  /// a manifest within one pull.
  virtual void planned(const Digest& digest, const oci::Manifest& manifest) = 0;
  /// A prefetch of this image, whose blobs are here or under way, is to end with its layers unpacked and kept. `done`
  /// is called once, on any thread: why not, or ok.
  virtual std::shared_ptr<const UnpackProgress> unpack(const oci::Manifest& manifest, Unpacked done) = 0;
  /// The layers that whoever pulls this image does without, because their files are here. May read from disk.
  virtual std::set<Digest> unneeded(const oci::Manifest& manifest) = 0;
};

}  // namespace paceline::pull
