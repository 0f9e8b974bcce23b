// Who may have a layer unpacked already when containerd asks for a snapshot of it: the seam to the pull.
// Thread rule: request() from any thread; the answer comes on any thread.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "plugin/base/clock.h"
#include "plugin/snapshots/snapshot.h"

namespace paceline::snapshots {

/// A layer, whole and verified, as a folder in overlayfs form, whose own owner and mode are those of the image's root.
/// It is on the snapshotter's file system and belongs to the snapshotter from the answer on: it is renamed away, or
/// removed. Whether it would survive a power loss is for its maker to see to.
struct UnpackedLayer {
  std::filesystem::path files;
  std::optional<Usage> usage;     ///< As disk_usage() counts; if the maker has not counted, the snapshotter does.
  std::function<void()> taken{};  ///< To be called once a snapshot has the files; may be empty.
};

class LayerProvider {
 public:
  using Answer = std::function<void(std::optional<UnpackedLayer>)>;

  virtual ~LayerProvider() = default;
  /// Calls `answer` once: with the layer of that chain ID as soon as it is there, with nothing as soon as it is clear
  /// that it will not be there by `deadline`, and never later than that. The call itself does not wait.
  virtual void request(const std::string& chain_id, TimePoint deadline, Answer answer) = 0;
};

}  // namespace paceline::snapshots
