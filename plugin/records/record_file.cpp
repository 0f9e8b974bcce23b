#include "plugin/records/record_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <span>
#include <string>

#include "plugin/base/files.h"

namespace paceline::records {

Status RecordFile::open() {
  auto fd = open_file(file_, O_WRONLY | O_CREAT, 0640);
  if (!fd) return fail(fd.error());
  struct stat info {};
  if (::fstat(fd->get(), &info) != 0) return fail(errno_error(errno, file_.string()));
  fd_ = std::move(*fd);
  size_ = static_cast<std::uint64_t>(info.st_size);
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
    if (auto opened = open(); !opened) return opened;
  }
  // Line and end in one write: a reader who follows the file sees whole lines.
  const std::string whole = std::string(line) + "\n";
  if (auto written = write_at(fd_.get(), std::as_bytes(std::span(whole)), size_); !written) return written;
  size_ += whole.size();
  return {};
}

}  // namespace paceline::records
