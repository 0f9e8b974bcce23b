// Pins: a name and the blobs it keeps, one small file a pin, durable before set() returns. Any thread; one mutex for
// the memory, one that lines writers up.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "plugin/base/digest.h"
#include "plugin/base/result.h"

namespace paceline::store {

class BlobTable;

class PinFiles {
 public:
  /// Keeps the table's pin counts in step.
  PinFiles(std::filesystem::path folder, BlobTable& table) : folder_(std::move(folder)), table_(table) {}

  void load();
  Status set(const std::string& name, const std::vector<Digest>& digests);
  Status remove(const std::string& name);
  [[nodiscard]] std::map<std::string, std::vector<Digest>> all() const;

 private:
  std::filesystem::path folder_;
  BlobTable& table_;
  std::mutex writing_;
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Digest>> pins_;
};

}  // namespace paceline::store
