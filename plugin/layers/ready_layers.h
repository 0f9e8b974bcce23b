// Who may have a layer unpacked already when containerd wants it applied: the differ's side of unpacking ahead.
// Thread rule: any thread; take() waits for a layer that is being unpacked, a minute at most.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "plugin/base/digest.h"

namespace paceline::layers {

struct ReadyLayer {
  std::filesystem::path files;  ///< The caller's, to rename or to remove.
  Digest diff_id;
  std::uint64_t bytes = 0;        ///< Of the uncompressed archive; 0: not known.
  std::function<void()> taken{};  ///< To be called once the files are in their place; may be empty.
};

class ReadyLayers {
 public:
  virtual ~ReadyLayers() = default;
  /// The layer of that blob on those lower folders (open, top first), if its files lie on the file system of `upper`,
  /// an open folder.
  virtual std::optional<ReadyLayer> take(const Digest& blob, const std::vector<int>& lowers, int upper) = 0;
};

}  // namespace paceline::layers
