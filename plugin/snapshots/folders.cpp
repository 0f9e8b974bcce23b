#include "plugin/snapshots/folders.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "plugin/base/files.h"
#include "plugin/base/log.h"

namespace paceline::snapshots {
namespace {

namespace fs = std::filesystem;

Status make_directory(const fs::path& path, mode_t mode) {
  // Not mkdir's own mode: the umask would take from it, and containers look at this one.
  if (::mkdir(path.c_str(), 0700) != 0) return fail(errno_error(errno, "create directory " + path.string()));
  if (::chmod(path.c_str(), mode) != 0) return fail(errno_error(errno, "chmod " + path.string()));
  return {};
}

Status move(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return fail(errno_error(errno, "rename " + from.string() + " to " + to.string()));
  }
  return {};
}

/// overlayfs needs readdir to tell the types of entries, as xfs made with ftype=0 does not.
Status check_entry_types(const fs::path& root) {
  DIR* directory = ::opendir(root.c_str());
  if (directory == nullptr) return fail(errno_error(errno, "open " + root.string()));
  bool tells = true;
  while (const dirent* entry = ::readdir(directory)) tells = tells && entry->d_type != DT_UNKNOWN;
  ::closedir(directory);
  if (tells) return {};
  return fail(Code::kFailedPrecondition, root.string() +
                                             ": this file system does not tell the type of an entry (d_type), which "
                                             "overlayfs needs; on xfs, format it with ftype=1");
}

}  // namespace

Result<std::unique_ptr<Folders>> Folders::open(const fs::path& root) {
  for (const auto& path : {root, root / "snapshots", root / "new", root / "removed"}) {
    if (auto made = make_directories(path); !made) return fail(made.error());
    // Snapshots hold set-user-ID programs and other people's secrets: none of the machine's users may look in.
    if (::chmod(path.c_str(), 0700) != 0) return fail(errno_error(errno, "chmod " + path.string()));
  }
  if (auto usable = check_entry_types(root); !usable) return fail(usable.error());
  std::unique_ptr<Folders> folders(new Folders(root));
  std::error_code error;
  for (const auto& left : fs::directory_iterator(root / "new", error)) folders->discard(left.path());
  if (error) return fail(errno_error(error.value(), "read " + (root / "new").string()));
  folders->deleter_.post([all = folders.get()] { all->delete_discarded(); });
  return folders;
}

Result<bool> Folders::exists(std::int64_t id) const {
  struct stat status {};
  if (::lstat(files(id).c_str(), &status) == 0) return S_ISDIR(status.st_mode);
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return fail(errno_error(errno, "stat " + files(id).string()));
}

Result<Owner> Folders::owner(std::int64_t id) const {
  struct stat status {};
  if (::lstat(files(id).c_str(), &status) != 0) return fail(errno_error(errno, "stat " + files(id).string()));
  return Owner{status.st_uid, status.st_gid};
}

fs::path Folders::unused_name(const char* in) {
  // A predecessor's numbers may be taken: whoever renames to one tries the next.
  return root_ / in / std::to_string(sequence_.fetch_add(1));
}

Result<fs::path> Folders::make(bool with_work, std::optional<Owner> owner) {
  auto made = wrap({});
  if (!made) return made;
  Status status = make_directory(*made / "fs", 0755);
  if (status && owner && ::lchown((*made / "fs").c_str(), owner->user, owner->group) != 0) {
    status = fail(errno_error(errno, "chown " + (*made / "fs").string()));
  }
  if (status && with_work) status = make_directory(*made / "work", 0711);
  if (status) return made;
  discard(*made);
  return fail(status.error());
}

Result<fs::path> Folders::wrap(const fs::path& files) {
  auto folder = unused_name("new");
  while (::mkdir(folder.c_str(), 0700) != 0) {
    if (errno != EEXIST) return fail(errno_error(errno, "create directory " + folder.string()));
    folder = unused_name("new");
  }
  if (files.empty()) return folder;
  if (auto moved = move(files, folder / "fs"); !moved) {
    ::rmdir(folder.c_str());
    return fail(moved.error());
  }
  return folder;
}

Status Folders::place(const fs::path& made, std::int64_t id) { return move(made, folder(id)); }

void Folders::discard(const fs::path& folder) {
  for (;;) {
    const auto place = unused_name("removed");
    if (::rename(folder.c_str(), place.c_str()) == 0) break;
    if (errno == EEXIST || errno == ENOTEMPTY || errno == EISDIR || errno == ENOTDIR) continue;
    // The next start finds it, because no snapshot names it.
    if (errno != ENOENT) spdlog::warn("snapshots: {}", errno_error(errno, "remove " + folder.string()).message);
    return;
  }
  deleter_.post([this] { delete_discarded(); });
}

void Folders::delete_discarded() {
  const std::lock_guard lock(deleting_);
  std::error_code error;
  std::vector<fs::path> all;
  for (const auto& item : fs::directory_iterator(root_ / "removed", error)) all.push_back(item.path());
  for (const auto& path : all) {
    if (stopping_) return;
    fs::remove_all(path, error);
    if (error) spdlog::warn("snapshots: {}", errno_error(error.value(), "delete " + path.string()).message);
  }
}

Result<Folders::Content> Folders::content() const {
  Content content;
  std::error_code error;
  for (const auto& item : fs::directory_iterator(root_ / "snapshots", error)) {
    const auto name = item.path().filename().string();
    std::int64_t id = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), id);
    if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size()) {
      content.ids.push_back(id);
    } else {
      content.strange.push_back(item.path());
    }
  }
  if (error) return fail(errno_error(error.value(), "read " + (root_ / "snapshots").string()));
  return content;
}

}  // namespace paceline::snapshots
