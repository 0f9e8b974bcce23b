// Opening: folders, lock, and the one scan that fills the tables. After it, find() and list() never touch the disk.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/base/text.h"
#include "plugin/store/file_times.h"
#include "plugin/store/ingest_files.h"
#include "plugin/store/parts.h"
#include "plugin/store/progress_file.h"

namespace paceline::store {
namespace fs = std::filesystem;
namespace {

// A download that nobody came back to for so long is not worth its disk.
constexpr auto kStalePartial = std::chrono::hours(7 * 24);

Status make_folder(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) {
    ::chmod(path.c_str(), mode);  // Whatever the umask.
    return {};
  }
  const int error = errno;
  std::error_code ignored;
  if (error == EEXIST && fs::is_directory(path, ignored)) return {};
  if (error == EEXIST) return fail(Code::kFailedPrecondition, path.string() + " exists and is not a folder");
  return fail(errno_error(error, "create folder " + path.string()));
}

Status make_folders(const Layout& layout) {
  std::error_code ignored;
  if (fs::exists(layout.content, ignored) && !fs::is_directory(layout.content, ignored)) {
    return fail(Code::kFailedPrecondition, layout.content.string() + " is a file, not a folder");
  }
  if (auto made = make_directories(layout.content); !made) return made;
  for (const auto& path : {layout.blobs.parent_path(), layout.blobs, layout.ingest}) {
    if (auto made = make_folder(path, 0755); !made) return made;
  }
  for (const auto& path : {layout.own, layout.hidden.parent_path(), layout.hidden, layout.fetch, layout.labels,
                           layout.pins, layout.temporary}) {
    if (auto made = make_folder(path, 0700); !made) return made;
  }
  struct stat ours {};
  for (const auto& path : {layout.blobs, layout.ingest}) {
    struct stat theirs {};
    if (::stat(layout.hidden.c_str(), &ours) != 0 || ::stat(path.c_str(), &theirs) != 0) {
      return fail(errno_error(errno, "stat " + path.string()));
    }
    if (ours.st_dev != theirs.st_dev) {
      return fail(Code::kFailedPrecondition,
                  path.string() + " is on another file system than " + layout.own.string() +
                      "; blobs move between them by rename: put the whole content folder on one file system");
    }
  }
  return {};
}

Result<UniqueFd> take_lock(const Layout& layout) {
  auto fd = open_file(layout.lock, O_RDWR | O_CREAT, 0600);
  if (!fd) return fail(fd.error());
  if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    if (error != EWOULDBLOCK) return fail(errno_error(error, "lock " + layout.lock.string()));
    const auto pid = read_file(layout.lock, 64);
    return fail(Code::kFailedPrecondition,
                "another pacelined" + (pid && !pid->empty() ? " (process " + std::string(trim(*pid)) + ")" : "") +
                    " has it open; stop that one or give this one another folder");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd->get(), 0) != 0) return fail(errno_error(errno, "write " + layout.lock.string()));
  if (auto written = write_at(fd->get(), std::as_bytes(std::span(pid)), 0); !written) return fail(written.error());
  return fd;
}

struct CloseDirectory {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

// Calls `visit(name, stat)` for each entry; plain readdir and fstatat, because ten thousand of them are looked at.
template <class Visit>
Status for_each_entry(const fs::path& path, Visit visit) {
  const std::unique_ptr<DIR, CloseDirectory> folder(::opendir(path.c_str()));
  if (!folder) return fail(errno_error(errno, "read folder " + path.string()));
  while (const dirent* item = ::readdir(folder.get())) {
    const std::string_view name = item->d_name;
    if (name == "." || name == "..") continue;
    struct stat about {};
    if (::fstatat(::dirfd(folder.get()), item->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0) visit(name, about);
  }
  return {};
}

void warn_of_foreign(const fs::path& folder, std::uint64_t count) {
  if (count > 0) spdlog::warn("{} entries of {} are none of ours; they are left alone", count, folder.string());
}

Status scan_blobs(Parts& parts, Visibility visibility) {
  const fs::path& folder = visibility == Visibility::kListed ? parts.layout.blobs : parts.layout.hidden;
  std::uint64_t foreign = 0;
  auto done = for_each_entry(folder, [&](std::string_view name, const struct stat& about) {
    const auto digest = Digest::from_hex(name);
    if (!digest || !S_ISREG(about.st_mode)) {
      ++foreign;
      return;
    }
    if (visibility == Visibility::kHidden && parts.table.find(*digest)) {
      // containerd's own store wrote it too while we were away: the listed one stays.
      ::unlink((folder / name).c_str());
      return;
    }
    const WallTime accessed = to_wall_time(about.st_atim);
    parts.table.insert({*digest, static_cast<std::uint64_t>(about.st_size), to_wall_time(about.st_mtim), accessed,
                        visibility, false, accessed});
  });
  warn_of_foreign(folder, foreign);
  return done;
}

Status scan_ingests(Parts& parts) {
  const fs::path& folder = parts.layout.ingest;
  std::uint64_t foreign = 0;
  std::vector<fs::path> dead;
  auto done = for_each_entry(folder, [&](std::string_view name, const struct stat& about) {
    if (!Digest::from_hex(name) || !S_ISDIR(about.st_mode)) {
      ++foreign;
      return;
    }
    const auto status = load_ingest(folder / name);
    if (!status) {
      dead.push_back(folder / name);
      return;
    }
    parts.ingests.add(*status);
    parts.space.add_partial(status->offset);
  });
  for (const auto& path : dead) {
    if (auto removed = remove_folder(path); !removed) spdlog::warn("{}", removed.error().message);
  }
  warn_of_foreign(folder, foreign);
  return done;
}

Status scan_downloads(Parts& parts) {
  const fs::path& folder = parts.layout.fetch;
  const WallTime now = parts.clock.wall();
  std::uint64_t foreign = 0;
  std::vector<fs::path> dead;
  auto done = for_each_entry(folder, [&](std::string_view name, const struct stat& about) {
    const auto digest = Digest::from_hex(name);
    if (!digest || !S_ISDIR(about.st_mode)) {
      ++foreign;
      return;
    }
    const fs::path path = folder / name;
    const auto progress = load_progress(path / "progress");
    struct stat data {};
    if (parts.table.find(*digest) || !progress || ::lstat((path / "data").c_str(), &data) != 0 ||
        !S_ISREG(data.st_mode) || static_cast<std::uint64_t>(data.st_size) < progress->written.end() ||
        to_wall_time(about.st_mtim) + kStalePartial < now) {
      dead.push_back(path);
      return;
    }
    std::error_code error;
    for (const auto& item : fs::directory_iterator(path, error)) {
      const auto file = item.path().filename();
      if (file != "data" && file != "progress") ::unlink(item.path().c_str());
    }
    const std::uint64_t allocated = std::min<std::uint64_t>(progress->size, data.st_blocks * 512ULL);
    parts.partials.claim(*digest);
    parts.partials.release(*digest, PartialTable::Partial{allocated, to_wall_time(about.st_mtim)});
    parts.space.add_partial(allocated);
  });
  for (const auto& path : dead) {
    if (auto removed = remove_folder(path); !removed) spdlog::warn("{}", removed.error().message);
  }
  warn_of_foreign(folder, foreign);
  return done;
}

void empty_temporary(const Layout& layout) {
  std::error_code error;
  for (const auto& item : fs::directory_iterator(layout.temporary, error)) {
    if (auto removed = remove_folder(item.path()); !removed) spdlog::warn("{}", removed.error().message);
  }
}

Status open_all(Parts& parts) {
  if (auto made = make_folders(parts.layout); !made) return made;
  auto lock = take_lock(parts.layout);
  if (!lock) return fail(lock.error());
  parts.lock = std::move(*lock);
  empty_temporary(parts.layout);
  for (const auto visibility : {Visibility::kListed, Visibility::kHidden}) {
    if (auto done = scan_blobs(parts, visibility); !done) return done;
  }
  if (auto done = scan_ingests(parts); !done) return done;
  if (auto done = scan_downloads(parts); !done) return done;
  parts.labels.load([&](const Digest& digest) { return parts.table.find(digest).has_value(); });
  parts.pins.load();
  return {};
}

}  // namespace

Parts::Parts(const StoreOptions& store_options, const Clock& store_clock)
    : options(store_options),
      clock(store_clock),
      layout(options.content),
      cache(std::max<std::size_t>(1, options.open_blobs)),
      labels(layout.labels),
      pins(layout.pins, table),
      files(layout, table, cache, labels, background, clock),
      space(layout.content, options.quota, options.free_floor, table, clock, background, evictions,
            Evictor{
                [this] {
                  auto order = table.eviction_order(clock.wall());
                  const auto partial = partials.eviction_order(clock.wall());
                  const auto middle = static_cast<std::ptrdiff_t>(order.size());
                  order.insert(order.end(), partial.begin(), partial.end());
                  std::inplace_merge(order.begin(), order.begin() + middle, order.end(),
                                     [](const auto& a, const auto& b) { return a.last_used < b.last_used; });
                  return order;
                },
                [this](const BlobTable::Candidate& candidate) {
                  return files.evict(candidate.digest).has_value() || drop_partial(*this, candidate.digest);
                },
            }) {}

Status open_parts(Parts& parts) {
  auto opened = open_all(parts);
  if (opened) return opened;
  Error error = opened.error().context("content folder " + parts.layout.content.string());
  if (error.code == Code::kPermissionDenied) {
    error.message += "; make it writable for this user, or set [store] content to another folder";
  }
  return fail(error);
}

}  // namespace paceline::store
