#include "plugin/unpack/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

#include "plugin/base/fd.h"
#include "plugin/unpack/entry_path.h"

namespace paceline::unpack {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

Status remove_content(int folder, const std::string& name) {
  UniqueFd fd(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail(errno_error(errno, "open " + printable(name)));
  const std::unique_ptr<DIR, CloseFolder> listing(::fdopendir(fd.get()));
  if (!listing) return fail(errno_error(errno, "list " + printable(name)));
  const int own = fd.release();
  for (errno = 0; const dirent* entry = ::readdir(listing.get()); errno = 0) {
    const std::string child = entry->d_name;
    if (child == "." || child == "..") continue;
    if (auto status = remove_tree(own, child); !status) return status;
  }
  if (errno != 0) return fail(errno_error(errno, "list " + printable(name)));
  return {};
}

}  // namespace

Status remove_tree(int folder, const std::string& name) {
  if (::unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR) return fail(errno_error(errno, "remove " + printable(name)));
  if (::unlinkat(folder, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  if (errno != ENOTEMPTY) return fail(errno_error(errno, "remove " + printable(name)));
  if (auto status = remove_content(folder, name); !status) return status;
  if (::unlinkat(folder, name.c_str(), AT_REMOVEDIR) != 0) return fail(errno_error(errno, "remove " + printable(name)));
  return {};
}

}  // namespace paceline::unpack
