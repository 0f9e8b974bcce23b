// Unpacks archives of a test into a fresh folder and tells what is there. One owner; needs root for owners and devices.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/fd.h"
#include "plugin/unpack/layer_source.h"
#include "plugin/unpack/unpack.h"
#include "tests/support/temp_dir.h"

namespace paceline::test {

/// A blob in memory that is handed out in steps of at most `step` bytes.
class MemorySource final : public unpack::LayerSource {
 public:
  explicit MemorySource(std::string blob, std::size_t step = SIZE_MAX) : blob_(std::move(blob)), step_(step) {}
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) override;

 private:
  std::string blob_;
  std::size_t step_;
};

class Unpacked {
 public:
  Unpacked();

  /// Unpacks an uncompressed or compressed archive; the error's text, or empty.
  std::string unpack(const std::string& blob, const unpack::Options& options = {});
  /// Takes what the last unpack left open from `lowers`, top first; the error's text, or empty.
  std::string finish(const std::vector<const Unpacked*>& lowers);

  [[nodiscard]] int folder() const { return folder_.get(); }
  [[nodiscard]] std::filesystem::path path(std::string_view name) const { return root_ / name; }
  [[nodiscard]] bool exists(std::string_view name) const;
  [[nodiscard]] struct stat info(std::string_view name) const;  ///< lstat; st_nlink 0 when it does not exist.
  [[nodiscard]] std::string content(std::string_view name) const;
  [[nodiscard]] std::string link(std::string_view name) const;
  [[nodiscard]] std::string xattr(std::string_view name, const char* key) const;  ///< "-" when absent.
  [[nodiscard]] bool is_whiteout(std::string_view name) const;
  /// All names, sorted, a space between.
  [[nodiscard]] std::string names() const;
  /// Whether all that lies beside the layer's folder is as it was made: nothing has escaped.
  [[nodiscard]] bool nothing_escaped() const;

  unpack::UnpackedLayer layer;

 private:
  TempDir temp_;
  std::filesystem::path root_;
  UniqueFd folder_;
};

inline bool is_root() { return ::geteuid() == 0; }

}  // namespace paceline::test
