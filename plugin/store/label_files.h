// Labels of blobs: read once at start, answered from memory, one small file a labelled blob. Any thread; files are
// written outside the mutex, by callers that hold the digest's turn (BlobFiles).
#pragma once

#include <filesystem>
#include <mutex>
#include <unordered_map>

#include "plugin/base/result.h"
#include "plugin/store/store.h"

namespace paceline::store {

/// containerd's limit: key and value of one label at most 4096 bytes together. kInvalidArgument.
Status check_labels(const Labels& labels);

class LabelFiles {
 public:
  explicit LabelFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Reads all files; those of digests that `wanted` refuses are deleted.
  void load(const std::function<bool(const Digest&)>& wanted);
  [[nodiscard]] Labels get(const Digest& digest) const;
  /// Replaces the whole set; an empty one removes the file.
  Status set(const Digest& digest, const Labels& labels);

 private:
  std::filesystem::path folder_;
  mutable std::mutex mutex_;
  std::unordered_map<Digest, Labels> labels_;
};

}  // namespace paceline::store
