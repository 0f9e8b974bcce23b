#include "plugin/store/blob_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/store/file_times.h"

namespace paceline::store {
namespace fs = std::filesystem;
namespace {

constexpr mode_t kBlobMode = 0444;  // containerd's: all may read, nobody writes.

Error not_found(const Digest& digest) { return {Code::kNotFound, "blob " + digest.to_string() + " is not there"}; }

void set_times(const fs::path& path, WallTime modified, WallTime accessed) {
  const timespec times[2] = {to_timespec(accessed), to_timespec(modified)};
  if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
    spdlog::warn("{}", errno_error(errno, "set the times of " + path.string()).message);
  }
}

// The last touches before a file becomes a blob; nothing here decides whether its bytes are right.
Status seal(int fd, WallTime now) {
  const timespec times[2] = {to_timespec(now), to_timespec(now)};
  if (::fchmod(fd, kBlobMode) != 0 || ::futimens(fd, times) != 0) return fail(errno_error(errno, "seal a blob"));
  return {};
}

}  // namespace

void BlobFiles::forget(const Digest& digest) {
  table_.take(digest);
  cache_.erase(digest);
  if (auto status = labels_.set(digest, {}); !status) spdlog::warn("{}", status.error().message);
}

Result<BlobInfo> BlobFiles::adopt(const Digest& digest) {
  const std::lock_guard lock(turn(digest));
  return adopt_in_turn(digest);
}

Result<BlobInfo> BlobFiles::adopt_in_turn(const Digest& digest) {
  const auto entry = table_.find(digest);
  if (!entry) return fail(not_found(digest));
  if (entry->info.visibility == Visibility::kListed) return entry->info;

  const fs::path from = layout_.hidden_blob(digest);
  const WallTime now = clock_.wall();
  set_times(from, now, now);  // For containerd the blob is created now.
  if (::rename(from.c_str(), layout_.listed_blob(digest).c_str()) != 0) {
    const int error = errno;
    std::error_code ignored;
    if (error == ENOENT && !fs::exists(from, ignored)) forget(digest);  // Deleted under us: to be fetched again.
    return fail(errno_error(error, "adopt " + digest.to_string()));
  }
  background_.sync_folder(layout_.blobs);
  background_.sync_folder(layout_.hidden);
  const auto info = table_.change(digest, [&](BlobInfo& blob) {
    blob.visibility = Visibility::kListed;
    blob.created = blob.updated = blob.last_used = now;
  });
  if (!info) return fail(not_found(digest));
  ++adoptions_;
  return *info;
}

Result<UniqueFd> BlobFiles::open_file_of(const BlobInfo& info) const {
  const fs::path listed = layout_.listed_blob(info.digest);
  const fs::path hidden = layout_.hidden_blob(info.digest);
  const bool is_listed = info.visibility == Visibility::kListed;
  // An adoption may come in between: then the file is in the other folder.
  for (const auto* path : {is_listed ? &listed : &hidden, is_listed ? &hidden : &listed}) {
    // O_NOATIME keeps UpdatedAt (a listed blob) and the last use (a hidden one) ours; only the file's owner may ask.
    auto fd = open_file(*path, O_RDONLY | O_NOATIME | O_NOFOLLOW);
    if (!fd && fd.error().code == Code::kPermissionDenied) fd = open_file(*path, O_RDONLY | O_NOFOLLOW);
    if (fd || fd.error().code != Code::kNotFound) return fd;
  }
  return fail(not_found(info.digest));
}

Result<std::shared_ptr<const OpenBlob>> BlobFiles::open(const Digest& digest) {
  const bool record_use = table_.touch(digest, clock_.wall());
  if (auto cached = cache_.find(digest)) {
    if (record_use) {
      const timespec times[2] = {to_timespec(clock_.wall()), {0, UTIME_OMIT}};
      ::futimens(cached->fd.get(), times);
    }
    return cached;
  }
  const auto entry = table_.find(digest);
  if (!entry) return fail(not_found(digest));
  auto fd = open_file_of(entry->info);
  if (!fd && fd.error().code == Code::kNotFound) {
    // Not in either folder while nobody moves it: it was deleted under us, or removed just now.
    const std::lock_guard lock(turn(digest));
    const auto again = table_.find(digest);
    if (!again) return fail(not_found(digest));
    fd = open_file_of(again->info);
    if (!fd && fd.error().code == Code::kNotFound) forget(digest);
  }
  if (!fd) return fail(fd.error());

  struct stat about {};
  if (::fstat(fd->get(), &about) != 0) return fail(errno_error(errno, "stat " + digest.to_string()));
  if (static_cast<std::uint64_t>(about.st_size) != entry->info.size) {
    return fail(Code::kDataLoss, "blob " + digest.to_string() + " has " + std::to_string(about.st_size) +
                                     " bytes on disk instead of " + std::to_string(entry->info.size) +
                                     "; run `paceline verify`, then pull its image again");
  }
  if (record_use) {
    const timespec times[2] = {to_timespec(clock_.wall()), {0, UTIME_OMIT}};
    ::futimens(fd->get(), times);
  }
  auto blob = std::make_shared<OpenBlob>();
  blob->fd = std::move(*fd);
  blob->size = entry->info.size;
  cache_.insert(digest, blob);
  // Removed in the meantime: the removal emptied the cache before we filled it.
  if (const auto now = table_.find(digest); !now || now->id != entry->id) cache_.erase(digest);
  return std::shared_ptr<const OpenBlob>(std::move(blob));
}

Status BlobFiles::remove(const Digest& digest) {
  const std::lock_guard lock(turn(digest));
  const auto entry = table_.find(digest);
  if (!entry || entry->info.visibility == Visibility::kHidden) return fail(not_found(digest));
  const fs::path path = layout_.listed_blob(digest);

  if (entry->info.pinned) {
    const WallTime now = clock_.wall();
    set_times(path, entry->info.created, now);
    if (::rename(path.c_str(), layout_.hidden_blob(digest).c_str()) != 0) {
      return fail(errno_error(errno, "hide pinned " + digest.to_string()));
    }
    background_.sync_folder(layout_.hidden);
    background_.sync_folder(layout_.blobs);
    table_.change(digest, [&](BlobInfo& blob) {
      blob.visibility = Visibility::kHidden;
      blob.last_used = now;
    });
    return labels_.set(digest, {});  // They were containerd's.
  }
  // Out of the table first: from here on nobody finds what is about to go.
  table_.take(digest);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    const int error = errno;
    table_.put_back(*entry);
    return fail(errno_error(error, "remove " + digest.to_string()));
  }
  forget(digest);
  background_.sync_folder(layout_.blobs);
  return {};
}

Result<std::uint64_t> BlobFiles::evict(const Digest& digest) {
  const std::lock_guard lock(turn(digest));
  const auto entry = table_.take_if_evictable(digest);
  if (!entry) {
    const auto present = table_.find(digest);
    if (!present) return fail(not_found(digest));
    if (present->info.visibility == Visibility::kListed) {
      return fail(Code::kFailedPrecondition,
                  "blob " + digest.to_string() + " is listed: it belongs to containerd; remove its image there");
    }
    return fail(Code::kFailedPrecondition, "blob " + digest.to_string() +
                                               (present->info.pinned ? " is pinned; unpin its image first"
                                                                     : " is about to be adopted by containerd"));
  }
  if (::unlink(layout_.hidden_blob(digest).c_str()) != 0 && errno != ENOENT) {
    const int error = errno;
    table_.put_back(*entry);
    return fail(errno_error(error, "evict " + digest.to_string()));
  }
  forget(digest);
  return entry->info.size;
}

bool BlobFiles::drop_damaged(const Digest& digest) {
  const std::lock_guard lock(turn(digest));
  const auto entry = table_.find(digest);
  if (!entry || entry->info.visibility == Visibility::kListed) return false;
  forget(digest);
  ::unlink(layout_.hidden_blob(digest).c_str());
  return true;
}

Result<BlobInfo> BlobFiles::set_labels(const Digest& digest, const Labels& labels) {
  if (auto status = check_labels(labels); !status) return fail(status.error());
  const std::lock_guard lock(turn(digest));
  const auto entry = table_.find(digest);
  if (!entry) return fail(not_found(digest));
  if (auto status = labels_.set(digest, labels); !status) return fail(status.error());
  const WallTime now = clock_.wall();
  if (entry->info.visibility == Visibility::kListed) {
    set_times(layout_.listed_blob(digest), entry->info.created, now);
  }
  const auto info = table_.change(digest, [&](BlobInfo& blob) { blob.updated = now; });
  if (!info) return fail(not_found(digest));
  return *info;
}

Status BlobFiles::land_hidden(const fs::path& file, int fd, const Digest& digest, std::uint64_t size,
                              WallTime kept_until) {
  const std::lock_guard lock(turn(digest));
  if (table_.find(digest)) {
    ::unlink(file.c_str());
    return {};
  }
  const WallTime now = clock_.wall();
  if (auto status = seal(fd, now); !status) return status;
  if (::rename(file.c_str(), layout_.hidden_blob(digest).c_str()) != 0) {
    return fail(errno_error(errno, "store " + digest.to_string()));
  }
  table_.insert({digest, size, now, now, Visibility::kHidden, false, now}, kept_until);
  background_.sync_folder(layout_.hidden);
  return {};
}

Status BlobFiles::land_listed(const fs::path& file, int fd, const Digest& digest, std::uint64_t size,
                              const Labels& labels) {
  const std::lock_guard lock(turn(digest));
  if (const auto entry = table_.find(digest)) {
    if (entry->info.visibility == Visibility::kHidden) {
      if (auto adopted = adopt_in_turn(digest); !adopted) return fail(adopted.error());
    }
    return fail(Code::kAlreadyExists, "blob " + digest.to_string() + " is there already");
  }
  // Labels first: when the blob is there, they are.
  if (auto status = labels_.set(digest, labels); !status) return status;
  const WallTime now = clock_.wall();
  Status status = seal(fd, now);
  if (status && ::rename(file.c_str(), layout_.listed_blob(digest).c_str()) != 0) {
    status = fail(errno_error(errno, "commit " + digest.to_string()));
  }
  if (!status) {
    (void)labels_.set(digest, {});
    return status;
  }
  table_.insert({digest, size, now, now, Visibility::kListed, false, now});
  background_.sync_folder(layout_.blobs);
  return {};
}

}  // namespace paceline::store
