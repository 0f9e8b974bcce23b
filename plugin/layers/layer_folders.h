// The folders that layers are unpacked into, beside the snapshots and on their file system, so that a finished one
// becomes a snapshot by one rename. What a killed process left there is removed at open().
// Thread rule: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "plugin/base/fd.h"
#include "plugin/base/result.h"

namespace paceline::layers {

class LayerFolders {
 public:
  /// `floor`: bytes to leave free on the file system.
  static Result<std::unique_ptr<LayerFolders>> open(const std::filesystem::path& root, std::uint64_t floor);

  struct Folder {
    std::filesystem::path path;
    UniqueFd fd;  ///< Outlives a rename of the folder.
  };
  /// An empty folder, as an image's root is: everybody may look in.
  Result<Folder> make();
  /// Takes as long as there are files in it.
  void remove(const std::filesystem::path& folder);
  /// Whether an open folder lies on the same file system, so that a layer may become it by a rename.
  [[nodiscard]] bool is_beside(int folder) const;
  /// kResourceExhausted when the file system is filled down to the floor.
  [[nodiscard]] Status check_room() const;

 private:
  LayerFolders(std::filesystem::path root, UniqueFd fd, std::uint64_t floor)
      : root_(std::move(root)), fd_(std::move(fd)), floor_(floor) {}

  const std::filesystem::path root_;
  const UniqueFd fd_;
  const std::uint64_t floor_;
  std::atomic<std::uint64_t> next_{0};
};

}  // namespace paceline::layers
