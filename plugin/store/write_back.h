// Starts writing a growing file's dirty pages to disk as it goes, in steps, so that the sync at the end finds little
// left. One thread at a time. Linux only (sync_file_range); where the file system ignores it, nothing is lost.
#pragma once

#include <fcntl.h>

#include <cstdint>

namespace paceline::store {

class WriteBack {
 public:
  /// `end`: bytes from 0 that are written by now.
  void advance(int fd, std::uint64_t end) {
    if (end < started_ + kStep) return;
    ::sync_file_range(fd, static_cast<off64_t>(started_), static_cast<off64_t>(end - started_), SYNC_FILE_RANGE_WRITE);
    started_ = end;
  }
  void restart() { started_ = 0; }

 private:
  // Large enough for a disk's best rate, small against what a sync can wait for.
  static constexpr std::uint64_t kStep = 8U << 20U;
  std::uint64_t started_ = 0;
};

}  // namespace paceline::store
