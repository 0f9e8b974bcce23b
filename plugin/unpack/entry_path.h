// An entry's name as a path inside the layer's root: cleaned as Go's filepath.Clean does, told apart into folder and
// name, and what its name means in a layer (OCI image-spec layer.md, "Whiteouts"). Pure functions, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "plugin/base/result.h"

namespace paceline::unpack {

/// The kernel's PATH_MAX without its NUL: what no tool could open is refused.
inline constexpr std::size_t kMaxPathBytes = 4095;
/// Folders within each other. Images stay below 40; removing a tree takes a descriptor a level.
inline constexpr std::size_t kMaxPathDepth = 256;

/// Links on the way to a file, as containerd's resolver counts them (continuity/fs, RootPath).
inline constexpr unsigned kMaxLinks = 255;

/// "a/b" of "./a//c/../b/", "" of "/" and "."; a leading slash is dropped, a leading ".." stays.
std::string clean_path(std::string_view path);
/// The same for a link's target seen from a folder of the root: what would leave the root stays at it, as in a chroot.
std::string resolve_path(std::string_view folder, std::string_view target);

struct EntryPath {
  std::string folder;  ///< Clean, without a slash at either end; empty for the root.
  std::string name;    ///< Empty: the root itself.

  [[nodiscard]] std::string full() const { return folder.empty() ? name : folder + "/" + name; }
};

/// kInvalidArgument: the name leads out of the root, or is longer or deeper than any file may lie.
Result<EntryPath> parse_entry_path(std::string_view name);

enum class Whiteout {
  kNone,
  kFile,    ///< ".wh.x": x of the lower layers is gone.
  kOpaque,  ///< ".wh..wh..opq": so is all that lower layers have in this folder.
};
/// kInvalidArgument: a whiteout of nothing, of "." or of "..".
Result<Whiteout> classify_whiteout(std::string_view name);
/// What a kFile whiteout hides.
std::string_view whiteout_target(std::string_view name);

/// A name for a message: what is not printable is escaped, what is long is cut.
std::string printable(std::string_view name);

}  // namespace paceline::unpack
