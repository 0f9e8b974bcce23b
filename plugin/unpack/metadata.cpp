#include "plugin/unpack/metadata.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "plugin/base/files.h"

namespace paceline::unpack {
namespace {

constexpr std::int64_t kMaxId = 0xFFFFFFFELL;        // The last one, all bits set, means "leave it" to chown.
constexpr std::int64_t kMaxSeconds = 9'223'372'036;  // In nanoseconds since 1970 it still fits 64 bits.
constexpr std::int64_t kModeBits = 07777;

timespec bounded(const Timestamp& time) {
  if (time.seconds < 0 || time.seconds >= kMaxSeconds) return {0, 0};
  return {static_cast<time_t>(time.seconds), static_cast<long>(time.nanoseconds)};
}

/// There is no setxattrat before Linux 6.13: by a path through the folder's descriptor.
std::string path_of(const FileAt& file) { return "/proc/self/fd/" + std::to_string(file.folder) + "/" + file.name; }

}  // namespace

Result<Metadata> to_metadata(const TarHeader& header) {
  if (header.uid < 0 || header.uid > kMaxId || header.gid < 0 || header.gid > kMaxId) {
    return fail(Code::kInvalidArgument,
                "no file can have the owner " + std::to_string(header.uid) + ":" + std::to_string(header.gid));
  }
  Metadata metadata;
  metadata.uid = static_cast<uid_t>(header.uid);
  metadata.gid = static_cast<gid_t>(header.gid);
  metadata.mode = static_cast<mode_t>(header.mode & kModeBits);
  metadata.times[0] = bounded(std::max(header.accessed, header.modified));
  metadata.times[1] = bounded(header.modified);
  return metadata;
}

Status set_xattrs(const FileAt& file, const Xattrs& xattrs, bool user_allowed) {
  for (const auto& [key, value] : xattrs) {
    if (key.starts_with("trusted.")) continue;
    const int result = file.fd >= 0 ? ::fsetxattr(file.fd, key.c_str(), value.data(), value.size(), 0)
                                    : ::lsetxattr(path_of(file).c_str(), key.c_str(), value.data(), value.size(), 0);
    if (result == 0 || errno == ENOTSUP) continue;
    if (errno == EPERM && !user_allowed && key.starts_with("user.")) continue;
    return fail(errno_error(errno, "set extended attribute " + key));
  }
  return {};
}

Status set_owner(const FileAt& file, const Metadata& metadata) {
  const int result = file.fd >= 0 ? ::fchown(file.fd, metadata.uid, metadata.gid)
                                  : ::fchownat(file.folder, file.name, metadata.uid, metadata.gid, AT_SYMLINK_NOFOLLOW);
  if (result != 0) return fail(errno_error(errno, "set owner"));
  return {};
}

Status set_mode(const FileAt& file, mode_t mode) {
  const int result = file.fd >= 0 ? ::fchmod(file.fd, mode) : ::fchmodat(file.folder, file.name, mode, 0);
  if (result != 0) return fail(errno_error(errno, "set mode"));
  return {};
}

Status set_times(const FileAt& file, const Metadata& metadata) {
  const int result = file.fd >= 0 ? ::futimens(file.fd, metadata.times)
                                  : ::utimensat(file.folder, file.name, metadata.times, AT_SYMLINK_NOFOLLOW);
  if (result != 0) return fail(errno_error(errno, "set times"));
  return {};
}

mode_t process_umask() {
  constexpr std::string_view kKey = "Umask:\t";
  auto status = read_file("/proc/self/status");
  if (!status) return kModeBits;
  const std::size_t at = status->find(kKey);
  if (at == std::string::npos) return kModeBits;
  mode_t mask = kModeBits;
  std::from_chars(status->data() + at + kKey.size(), status->data() + status->size(), mask, 8);
  return mask;
}

}  // namespace paceline::unpack
