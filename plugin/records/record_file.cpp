#include "plugin/records/record_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <string>

#include "plugin/base/files.h"

namespace paceline::records {
namespace {

constexpr std::uint64_t kTail = 1U << 20U;  // No record is longer.

/// Where the last line ends that was written to its end: what a power loss or a full disk cut goes.
Result<std::uint64_t> whole_lines(int fd, std::uint64_t size) {
  const std::uint64_t from = size > kTail ? size - kTail : 0;
  std::string tail(size - from, '\0');
  auto got = read_at(fd, std::as_writable_bytes(std::span(tail)), from);
  if (!got) return fail(got.error());
  tail.resize(*got);
  const auto end = tail.rfind('\n');
  if (end == std::string::npos) return from == 0 ? 0 : size;
  return from + end + 1;
}

}  // namespace

Status RecordFile::open() {
  auto fd = open_file(file_, O_RDWR | O_CREAT, 0640);
  if (!fd) return fail(fd.error());
  struct stat info {};
  if (::fstat(fd->get(), &info) != 0) return fail(errno_error(errno, file_.string()));
  auto whole = whole_lines(fd->get(), static_cast<std::uint64_t>(info.st_size));
  if (!whole) return fail(whole.error());
  if (*whole < static_cast<std::uint64_t>(info.st_size) && ::ftruncate(fd->get(), static_cast<off_t>(*whole)) != 0) {
    return fail(errno_error(errno, file_.string()));
  }
  fd_ = std::move(*fd);
  size_ = *whole;
  return {};
}

Status RecordFile::append(std::string_view line) {
  if (fd_.get() < 0) {
    if (auto opened = open(); !opened) return opened;
  }
  if (size_ > 0 && size_ + line.size() + 1 > max_bytes_ / 2) {
    std::error_code error;
    std::filesystem::rename(file_, file_.string() + ".1", error);
    if (error) return fail(errno_error(error.value(), "rotate " + file_.string()));
    fd_ = {};  // Whatever comes next, it is not the renamed one that goes on.
    if (auto opened = open(); !opened) return opened;
  }
  // Line and end in one write: a reader who follows the file sees whole lines.
  const std::string whole = std::string(line) + "\n";
  if (auto written = write_at(fd_.get(), std::as_bytes(std::span(whole)), size_); !written) return written;
  size_ += whole.size();
  return {};
}

}  // namespace paceline::records
