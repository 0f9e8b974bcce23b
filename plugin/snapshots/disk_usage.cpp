#include "plugin/snapshots/disk_usage.h"

#include <fts.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace paceline::snapshots {
namespace {

constexpr std::int64_t kBlockBytes = 512;  // st_blocks counts in these, whatever the file system (stat(2)).

}  // namespace

Result<Usage> disk_usage(const std::filesystem::path& folder) {
  std::string root = folder.string();
  char* const roots[] = {root.data(), nullptr};
  const std::unique_ptr<FTS, int (*)(FTS*)> walk(::fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, nullptr), ::fts_close);
  if (!walk) return fail(errno_error(errno, "read " + root));

  Usage usage;
  std::set<std::pair<dev_t, ino_t>> linked;  // Only what has several names can come twice.
  for (;;) {
    errno = 0;
    const FTSENT* entry = ::fts_read(walk.get());
    if (entry == nullptr) break;
    switch (entry->fts_info) {
      case FTS_DP:
        continue;  // Seen on the way in.
      case FTS_DNR:
      case FTS_ERR:
      case FTS_NS:
        return fail(errno_error(entry->fts_errno, "read " + std::string(entry->fts_path)));
      default:
        break;
    }
    const struct stat& status = *entry->fts_statp;
    if (!S_ISDIR(status.st_mode) && status.st_nlink > 1 && !linked.emplace(status.st_dev, status.st_ino).second)
      continue;
    usage.bytes += status.st_blocks * kBlockBytes;
    ++usage.inodes;
  }
  if (errno != 0) return fail(errno_error(errno, "read " + root));
  return usage;
}

}  // namespace paceline::snapshots
