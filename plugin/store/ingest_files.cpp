#include "plugin/store/ingest_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <charconv>

#include "plugin/base/files.h"
#include "plugin/base/text.h"
#include "plugin/store/file_times.h"

namespace paceline::store {
namespace fs = std::filesystem;
namespace {

constexpr mode_t kFolderMode = 0755;
constexpr unsigned kFileMode = 0644;
constexpr std::size_t kSmall = 64U << 10U;

Status write_new(const fs::path& path, std::string_view content) {
  auto fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL, kFileMode);
  if (!fd) return fail(fd.error());
  return write_at(fd->get(), std::as_bytes(std::span(content)), 0);
}

Status fill(const fs::path& folder, const IngestStatus& status, bool with_data) {
  if (::mkdir(folder.c_str(), kFolderMode) != 0) return fail(errno_error(errno, "create " + folder.string()));
  ::chmod(folder.c_str(), kFolderMode);  // Whatever the umask.
  Status done = write_new(folder / "ref", status.ref);
  if (done) done = write_new(folder / "startedat", format_rfc3339(status.started));
  if (done) done = write_new(folder / "updatedat", format_rfc3339(status.updated));
  if (done && status.total != 0) done = write_new(folder / "total", std::to_string(status.total));
  if (done && with_data) done = write_new(folder / "data", {});
  return done;
}

// A time that cannot be read is not worth losing the data for.
WallTime read_time(const fs::path& path, WallTime otherwise) {
  const auto text = read_file(path, kSmall);
  if (!text) return otherwise;
  return parse_rfc3339(trim(*text)).value_or(otherwise);
}

void remove_foreign_files(const fs::path& folder) {
  std::error_code error;
  for (const auto& item : fs::directory_iterator(folder, error)) {
    const auto name = item.path().filename();
    if (name != "ref" && name != "data" && name != "startedat" && name != "updatedat" && name != "total") {
      std::error_code ignored;
      fs::remove(item.path(), ignored);
    }
  }
}

}  // namespace

fs::path temporary_path(const Layout& layout) {
  static std::atomic<std::uint64_t> sequence{0};
  return layout.temporary / std::to_string(sequence.fetch_add(1));
}

Status remove_folder(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) return fail(errno_error(error.value(), "remove " + folder.string()));
  return {};
}

Status create_ingest(const Layout& layout, const IngestStatus& status, bool with_data) {
  const fs::path folder = layout.ingest_folder(status.ref);
  const fs::path building = temporary_path(layout);
  Status done = fill(building, status, with_data);
  if (done && ::rename(building.c_str(), folder.c_str()) != 0) {
    // Something is in the way that was not worth keeping at start.
    done = remove_folder(folder);
    if (done && ::rename(building.c_str(), folder.c_str()) != 0) {
      done = fail(errno_error(errno, "create " + folder.string()));
    }
  }
  if (!done) (void)remove_folder(building);
  return done;
}

std::optional<IngestStatus> load_ingest(const fs::path& folder) {
  struct stat data {};
  if (::lstat((folder / "data").c_str(), &data) != 0 || !S_ISREG(data.st_mode)) return std::nullopt;
  const auto ref = read_file(folder / "ref", kSmall);
  if (!ref || folder.filename() != sha256(*ref).hex()) return std::nullopt;
  remove_foreign_files(folder);

  const WallTime modified = to_wall_time(data.st_mtim);
  IngestStatus status;
  status.ref = *ref;
  status.offset = static_cast<std::uint64_t>(data.st_size);
  status.started = read_time(folder / "startedat", modified);
  // containerd rewrites updatedat only when a writer closes: the data may be newer.
  status.updated = std::max(read_time(folder / "updatedat", modified), modified);
  if (const auto total = read_file(folder / "total", kSmall)) {
    const auto parsed = std::from_chars(total->data(), total->data() + total->size(), status.total);
    if (parsed.ec != std::errc() || parsed.ptr != total->data() + total->size()) status.total = 0;
  }
  return status;
}

Status write_total(const fs::path& folder, std::uint64_t total) {
  return write_file_atomically(folder / "total", std::to_string(total), Durability::kProcessCrash, kFileMode);
}

Status write_updated(const fs::path& folder, WallTime updated) {
  return write_file_atomically(folder / "updatedat", format_rfc3339(updated), Durability::kProcessCrash, kFileMode);
}

}  // namespace paceline::store
