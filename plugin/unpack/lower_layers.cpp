#include "plugin/unpack/lower_layers.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <map>
#include <string_view>

#include "plugin/base/fd.h"
#include "plugin/base/files.h"
#include "plugin/unpack/layer_writer.h"

namespace paceline::unpack {
namespace {

constexpr std::size_t kMaxXattrBytes = 64U << 10U;  // XATTR_SIZE_MAX, and XATTR_LIST_MAX (linux/limits.h).
constexpr std::size_t kCopyBytes = 256U << 10U;

/// Resolves links as in a chroot of `root`.
UniqueFd open_in(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const std::string& name = path.empty() ? std::string(".") : path;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, name.c_str(), &how, sizeof(how))));
}

/// A file that may be open with O_PATH only: calls on attributes go through its link in /proc.
std::string proc_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

Result<Xattrs> read_xattrs(int fd) {
  const std::string path = proc_path(fd);
  std::string names(kMaxXattrBytes, '\0');
  const ssize_t size = ::listxattr(path.c_str(), names.data(), names.size());
  if (size < 0 && errno == ENOTSUP) return Xattrs();
  if (size < 0) return fail(errno_error(errno, "list extended attributes"));
  Xattrs xattrs;
  for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
    std::string name = names.c_str() + at;
    at += name.size() + 1;
    if (name.starts_with("trusted.")) continue;  // overlayfs' own.
    std::string value(kMaxXattrBytes, '\0');
    const ssize_t length = ::getxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (length < 0 && (errno == ENODATA || errno == ENOTSUP)) continue;
    if (length < 0) return fail(errno_error(errno, "read extended attribute " + name));
    value.resize(static_cast<std::size_t>(length));
    xattrs.emplace_back(std::move(name), std::move(value));
  }
  return xattrs;
}

Metadata metadata_of(const struct stat& info) {
  Metadata metadata;
  metadata.uid = info.st_uid;
  metadata.gid = info.st_gid;
  metadata.mode = info.st_mode & 07777U;
  metadata.times[0] = info.st_atim;
  metadata.times[1] = info.st_mtim;
  return metadata;
}

/// Gives `folder` what `lower` has; of one that an entry described, only attributes that it does not have.
Status take_attributes(int folder, int lower, const struct stat& info, bool described) {
  const FileAt file{folder, ".", folder};
  const Metadata metadata = metadata_of(info);
  if (!described) {
    if (auto status = set_owner(file, metadata); !status) return status;
    if (auto status = set_mode(file, metadata.mode); !status) return status;
  }
  auto xattrs = read_xattrs(lower);
  if (!xattrs) return fail(xattrs.error());
  for (const auto& [key, value] : *xattrs) {
    if (key == kDefaultAcl) {
      return fail(Code::kUnimplemented,
                  "a lower layer's folder has a default ACL, which what the layer made in it "
                  "should have inherited: left to containerd");
    }
    if (::fsetxattr(folder, key.c_str(), value.data(), value.size(), XATTR_CREATE) != 0 && errno != ENOTSUP &&
        errno != EEXIST && errno != ENODATA) {
      return fail(errno_error(errno, "set extended attribute " + key));
    }
  }
  return described ? Status() : set_times(file, metadata);
}

/// What mkdir gives a folder in one that hands its group down. The outer folder got its own group only just now.
Status inherit_group(int layer, const std::string& path, int folder) {
  const std::size_t slash = path.rfind('/');
  const UniqueFd outer = open_in(layer, slash == std::string::npos ? "" : path.substr(0, slash), O_PATH);
  struct stat info {};
  if (!outer || ::fstat(outer.get(), &info) != 0) return fail(errno_error(errno, "look at the outer folder"));
  if ((info.st_mode & S_ISGID) == 0) return {};
  if (::fchown(folder, static_cast<uid_t>(-1), info.st_gid) != 0) return fail(errno_error(errno, "set group"));
  return {};
}

/// `lowers` resolve as containerd does, which differs from the kernel in "link/.." of a link's target.
Status finish_directory(int layer, const ImplicitDirectory& directory, std::list<Directories>& lowers) {
  const UniqueFd folder = open_in(layer, directory.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!folder) return fail(errno_error(errno, "open"));
  for (Directories& lower : lowers) {
    auto found = lower.find(directory.path);
    if (!found && found.error().code == Code::kNotFound) continue;
    if (!found && found.error().code == Code::kInvalidArgument) break;  // What is below is replaced, not continued.
    if (!found) return fail(found.error().context("look into a lower layer"));
    struct stat info {};
    if (::fstat((*found)->fd, &info) != 0) return fail(errno_error(errno, "look into a lower layer"));
    return take_attributes(folder.get(), (*found)->fd, info, directory.described);
  }
  return directory.described ? Status() : inherit_group(layer, directory.path, folder.get());
}

bool is_whiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0); }

/// Whether `layer`, which does not have `path`, hides what lower ones have there.
bool hides(int layer, const std::string& path) {
  for (std::size_t slash = 0; slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const UniqueFd folder = open_in(layer, path.substr(0, slash), O_PATH);
    if (!folder) return errno != ENOENT;
    struct stat info {};
    if (::fstat(folder.get(), &info) != 0 || !S_ISDIR(info.st_mode)) return true;
    char value = 0;
    const std::string proc = proc_path(folder.get());
    if (::getxattr(proc.c_str(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y') return true;
  }
  return false;
}

/// Opens (O_PATH) what is visible at `path` below `layer`.
Result<UniqueFd> find_visible(int layer, const std::string& path, std::span<const int> lowers, struct stat& info) {
  const auto missing = [] { return fail(Code::kInvalidArgument, "its target does not exist, in no layer"); };
  if (hides(layer, path)) return missing();
  for (const int lower : lowers) {
    UniqueFd found = open_in(lower, path, O_PATH | O_NOFOLLOW);
    if (found) {
      if (::fstat(found.get(), &info) != 0) return fail(errno_error(errno, "look at its target"));
      if (is_whiteout(info)) return missing();
      return found;
    }
    if (errno != ENOENT || hides(lower, path)) return missing();
  }
  return missing();
}

Status copy_content(int source, off_t size, int target) {
  const UniqueFd readable(::open(proc_path(source).c_str(), O_RDONLY | O_CLOEXEC));
  if (!readable) return fail(errno_error(errno, "open its target"));
  std::string buffer(kCopyBytes, '\0');
  // Holes stay holes: a sparse file of a few bytes would fill the disk.
  for (off_t at = 0;;) {
    const off_t data = ::lseek(readable.get(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    if (data < 0) return fail(errno_error(errno, "look for its target's data"));
    const off_t hole = ::lseek(readable.get(), data, SEEK_HOLE);
    if (hole < 0) return fail(errno_error(errno, "look for its target's holes"));
    for (at = data; at < hole;) {
      const std::size_t most = std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(hole - at));
      const auto into = std::as_writable_bytes(std::span(buffer)).first(most);
      auto count = read_at(readable.get(), into, static_cast<std::uint64_t>(at));
      if (!count) return fail(count.error());
      if (*count == 0) break;
      auto status = write_at(target, std::span<const std::byte>(into).first(*count), static_cast<std::uint64_t>(at));
      if (!status) return status;
      at += static_cast<off_t>(*count);
    }
    if (at < hole) break;  // It ends there.
  }
  if (::ftruncate(target, size) != 0) return fail(errno_error(errno, "set the size"));
  return {};
}

/// A copy of a lower layer's file; its owner, mode and times come from the link's header afterwards.
Status copy_file(int source, const struct stat& info, int folder, const char* name) {
  if (S_ISLNK(info.st_mode)) {
    std::string target(kMaxPathBytes + 1, '\0');
    const ssize_t size = ::readlinkat(source, "", target.data(), target.size());
    if (size < 0) return fail(errno_error(errno, "read its target"));
    target.resize(static_cast<std::size_t>(size));
    if (::symlinkat(target.c_str(), folder, name) != 0) return fail(errno_error(errno, "create"));
    return {};
  }
  if (!S_ISREG(info.st_mode)) return fail(Code::kInvalidArgument, "its target is neither a file nor a symlink");
  const UniqueFd copy(::openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!copy) return fail(errno_error(errno, "create"));
  if (auto status = copy_content(source, info.st_size, copy.get()); !status) return status;
  auto xattrs = read_xattrs(source);
  if (!xattrs) return fail(xattrs.error());
  return set_xattrs({folder, name, copy.get()}, *xattrs, true);
}

/// By target: the first link, which became a copy of it.
using Copies = std::map<std::string, const EntryPath*>;

/// Its folder is opened as every other: a path of several components would be resolved by the kernel, out of the layer
/// where a later entry put a symlink.
Status link_to(int layer, const EntryPath& copy, int folder, const char* name) {
  const UniqueFd from = open_in(layer, copy.folder, O_PATH | O_DIRECTORY);
  if (!from) return fail(errno_error(errno, "open the folder of " + printable(copy.full())));
  if (::linkat(from.get(), copy.name.c_str(), folder, name, 0) != 0) return fail(errno_error(errno, "link"));
  return {};
}

Status finish_link(int layer, const PendingLink& link, std::span<const int> lowers, Copies& copies) {
  const UniqueFd folder = open_in(layer, link.path.folder, O_RDONLY | O_DIRECTORY);
  if (!folder) return fail(errno_error(errno, "open its folder"));
  const char* name = link.path.name.c_str();
  struct stat before {};
  if (::fstat(folder.get(), &before) != 0) return fail(errno_error(errno, "look at its folder"));

  const auto copied = copies.find(link.target);
  if (copied != copies.end()) {
    if (auto status = link_to(layer, *copied->second, folder.get(), name); !status) return status;
  } else {
    struct stat info {};
    auto source = find_visible(layer, link.target, lowers, info);
    if (!source) return fail(source.error());
    if (auto status = copy_file(source->get(), info, folder.get(), name); !status) return status;
    copies.emplace(link.target, &link.path);
  }
  if (auto status = describe_link({folder.get(), name}, link.metadata, link.xattrs); !status) return status;
  return set_times({folder.get(), ".", folder.get()}, metadata_of(before));
}

}  // namespace

Status finish_layer(int layer, const Unfinished& unfinished, std::span<const int> lowers) {
  Copies copies;
  for (const PendingLink& link : unfinished.links) {
    auto status = finish_link(layer, link, lowers, copies);
    if (!status) return fail(status.error().context("hard link " + printable(link.path.full())));
  }
  std::list<Directories> folders;
  for (const int lower : lowers) folders.emplace_back(lower);
  for (const ImplicitDirectory& directory : unfinished.directories) {
    auto status = finish_directory(layer, directory, folders);
    if (!status) return fail(status.error().context("folder " + printable(directory.path)));
  }
  return {};
}

}  // namespace paceline::unpack
