#include "plugin/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>

namespace paceline {
namespace fs = std::filesystem;

Result<UniqueFd> open_file(const fs::path& path, int flags, unsigned mode) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return fail(errno_error(errno, "open " + path.string()));
  return UniqueFd(fd);
}

Result<std::string> read_file(const fs::path& path, std::size_t limit) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd) return fail(fd.error());
  std::string content;
  std::string chunk(64U << 10U, '\0');
  for (;;) {
    auto count = read_at(fd->get(), std::as_writable_bytes(std::span(chunk)), content.size());
    if (!count) return fail(count.error().context(path.string()));
    if (*count == 0) return content;
    content.append(chunk, 0, *count);
    if (content.size() > limit) {
      return fail(Code::kResourceExhausted, path.string() + " is larger than " + std::to_string(limit) + " bytes");
    }
  }
}

Status write_file_atomically(const fs::path& path, std::string_view content, Durability durability, unsigned mode) {
  static std::atomic<unsigned> sequence{0};
  fs::path temporary = path;
  temporary += ".tmp" + std::to_string(::getpid()) + "-" + std::to_string(sequence.fetch_add(1));
  auto fd = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode);
  if (!fd) return fail(fd.error());
  Status status = write_at(fd->get(), std::as_bytes(std::span(content)), 0);
  if (status && durability == Durability::kPowerLoss && ::fsync(fd->get()) != 0) {
    status = fail(errno_error(errno, "fsync " + temporary.string()));
  }
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = fail(errno_error(errno, "rename to " + path.string()));
  }
  if (!status) {
    ::unlink(temporary.c_str());
    return fail(status.error().context("write " + path.string()));
  }
  if (durability == Durability::kPowerLoss) return sync_directory(path.parent_path());
  return {};
}

Status sync_directory(const fs::path& path) {
  auto fd = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!fd) return fail(fd.error());
  if (::fsync(fd->get()) != 0) return fail(errno_error(errno, "fsync " + path.string()));
  return {};
}

Status make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return fail(errno_error(error.value(), "create directory " + path.string()));
  return {};
}

Status write_at(int fd, std::span<const std::byte> data, std::uint64_t offset) {
  while (!data.empty()) {
    const ssize_t count = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (count < 0) {
      if (errno == EINTR) continue;
      return fail(errno_error(errno, "write"));
    }
    data = data.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<std::size_t> read_at(int fd, std::span<std::byte> buffer, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t count = ::pread(fd, buffer.data() + done, buffer.size() - done, static_cast<off_t>(offset + done));
    if (count < 0) {
      if (errno == EINTR) continue;
      return fail(errno_error(errno, "read"));
    }
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

}  // namespace paceline
