#include "plugin/layers/layer_folders.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <string>
#include <vector>

#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/unpack/remove_tree.h"

namespace paceline::layers {

namespace fs = std::filesystem;

Result<std::unique_ptr<LayerFolders>> LayerFolders::open(const fs::path& root, std::uint64_t floor) {
  if (auto made = make_directories(root); !made) return fail(made.error());
  // As for snapshots: set-user-ID programs and other people's secrets lie here.
  if (::chmod(root.c_str(), 0700) != 0) return fail(errno_error(errno, "chmod " + root.string()));
  auto fd = open_file(root, O_RDONLY | O_DIRECTORY);
  if (!fd) return fail(fd.error());
  std::unique_ptr<LayerFolders> folders(new LayerFolders(root, std::move(*fd), floor));
  std::vector<fs::path> left;
  std::error_code error;
  for (const auto& item : fs::directory_iterator(root, error)) left.push_back(item.path());
  if (error) return fail(errno_error(error.value(), "read " + root.string()));
  for (const auto& path : left) folders->remove(path);
  return folders;
}

Result<LayerFolders::Folder> LayerFolders::make() {
  const fs::path path = root_ / std::to_string(next_.fetch_add(1));
  // Not mkdir's own mode: the umask would take from it.
  if (::mkdir(path.c_str(), 0700) != 0) return fail(errno_error(errno, "create directory " + path.string()));
  auto fd = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!fd) return fail(fd.error());
  if (::fchmod(fd->get(), 0755) != 0) return fail(errno_error(errno, "chmod " + path.string()));
  return Folder{path, std::move(*fd)};
}

void LayerFolders::remove(const fs::path& folder) {
  const auto removed = unpack::remove_tree(fd_.get(), folder.filename().string());
  if (!removed) spdlog::warn("{}: {}; the next start tries again", folder.string(), removed.error().message);
}

bool LayerFolders::is_beside(int folder) const {
  struct stat here {};
  struct stat there {};
  return ::fstat(fd_.get(), &here) == 0 && ::fstat(folder, &there) == 0 && here.st_dev == there.st_dev;
}

Status LayerFolders::check_room() const {
  struct statvfs about {};
  if (::fstatvfs(fd_.get(), &about) != 0) return fail(errno_error(errno, "statvfs " + root_.string()));
  const std::uint64_t free = static_cast<std::uint64_t>(about.f_bavail) * about.f_frsize;
  if (free > floor_) return {};
  return fail(Code::kResourceExhausted, root_.string() + ": " + std::to_string(free) +
                                            " bytes are free on its file system, and " + std::to_string(floor_) +
                                            " are to stay free (store.free_floor)");
}

}  // namespace paceline::layers
