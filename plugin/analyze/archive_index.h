// Where the members of a tar file lie, found by its headers alone: their data is skipped over, not read. For archives
// of images (docker save, OCI archives), which hold few and large members. Values; any thread once made.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "plugin/base/fd.h"
#include "plugin/base/result.h"
#include "plugin/unpack/layer_source.h"

namespace paceline::analyze {

struct Member {
  std::uint64_t offset = 0, size = 0;  ///< Of its data in the file; bytes.
  std::string link;                    ///< Of a link: where it leads, as it is written; it has no data.
};

class ArchiveIndex {
 public:
  /// kInvalidArgument: no tar file, or one that is cut off.
  static Result<std::shared_ptr<const ArchiveIndex>> open(const std::string& path);

  /// A regular file, links of the archive followed; null: there is none of that name.
  [[nodiscard]] const Member* find(const std::string& name) const;
  /// Its bytes; `self` keeps the file open.
  static std::unique_ptr<unpack::LayerSource> source(std::shared_ptr<const ArchiveIndex> self, const Member& member);
  /// All of a small one; kResourceExhausted above `limit` bytes.
  [[nodiscard]] Result<std::string> read(const Member& member, std::size_t limit) const;

 private:
  ArchiveIndex(UniqueFd file, std::map<std::string, Member> members)
      : file_(std::move(file)), members_(std::move(members)) {}

  const UniqueFd file_;
  const std::map<std::string, Member> members_;
};

}  // namespace paceline::analyze
