// What a layer extracted alone leaves to do until the layers below it are there: a short list. Value.
#pragma once

#include <string>
#include <vector>

#include "plugin/unpack/directories.h"
#include "plugin/unpack/entry_path.h"
#include "plugin/unpack/metadata.h"

namespace paceline::unpack {

/// A hard link whose target is not in its layer.
struct PendingLink {
  EntryPath path;      ///< Its folder without links.
  std::string target;  ///< Clean, from the root.
  Metadata metadata;
  Xattrs xattrs;
};

struct Unfinished {
  std::vector<ImplicitDirectory> directories;  ///< Outer ones first: they take the lower layers' attributes.
  std::vector<PendingLink> links;

  [[nodiscard]] bool empty() const { return directories.empty() && links.empty(); }
};

}  // namespace paceline::unpack
