// Owner, mode, times and extended attributes of one file, given as containerd's Apply gives them and in its order:
// owner, attributes, mode, times (a chown clears the mode's special bits and file capabilities). Pure functions.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/base/result.h"
#include "plugin/unpack/tar_header.h"

namespace paceline::unpack {

struct Metadata {
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t mode = 0;           ///< Permissions and the three special bits.
  struct timespec times[2];  ///< Accessed, modified: as utimensat wants them.
};

/// From a header; kInvalidArgument for an owner no file can have. Times outside 1970–2262 become 1970, as for
/// containerd.
Result<Metadata> to_metadata(const TarHeader& header);

/// A folder's, which all that is made in it inherits.
inline constexpr std::string_view kDefaultAcl = "system.posix_acl_default";

using Xattrs = std::vector<std::pair<std::string, std::string>>;

/// A file by its folder and name, or open besides; calls that need a descriptor use it.
struct FileAt {
  int folder = -1;
  const char* name = nullptr;
  int fd = -1;  ///< -1: not open.
};

/// Sets attributes; "trusted." ones and those the file system does not know are left out, as by containerd.
Status set_xattrs(const FileAt& file, const Xattrs& xattrs, bool user_allowed);
Status set_owner(const FileAt& file, const Metadata& metadata);
Status set_mode(const FileAt& file, mode_t mode);
Status set_times(const FileAt& file, const Metadata& metadata);

/// This process's umask; all bits when it cannot be read.
mode_t process_umask();

}  // namespace paceline::unpack
