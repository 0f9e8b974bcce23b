// Cold-start records as JSON lines, in a file that is rotated by size: FILE is the present one, FILE.1 the one before,
// and there are never more than these two. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "plugin/base/fd.h"
#include "plugin/base/result.h"

namespace paceline::records {

class RecordFile {
 public:
  /// Each of the two files holds half of `max_bytes`, one line at least.
  RecordFile(std::filesystem::path file, std::uint64_t max_bytes) : file_(std::move(file)), max_bytes_(max_bytes) {}

  Status append(std::string_view line);

 private:
  Status open();

  const std::filesystem::path file_;
  const std::uint64_t max_bytes_;
  UniqueFd fd_;
  std::uint64_t size_ = 0;
};

}  // namespace paceline::records
