// The pulls under way, on disk, so that a restart goes on with them. No secret is written: a pull with a caller's own
// Authorization is not journalled (containerd asks for it again).
// Thread rule: any thread; a damaged file is logged and forgotten.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/digest.h"
#include "plugin/base/result.h"

namespace paceline::pull {

struct JournalEntry {
  std::string image;
  std::string platform;            ///< Empty: this machine's.
  std::optional<Digest> manifest;  ///< Once resolved: the plan can be made again without the network.
  bool own_rights = true;          ///< The daemon's rights; false: an anonymous caller's.
  bool foreground = false;
  bool pin = false;
  bool unpack = false;
};

class Journal {
 public:
  explicit Journal(std::filesystem::path file) : file_(std::move(file)) {}

  [[nodiscard]] std::vector<JournalEntry> load() const;
  Status save(const std::vector<JournalEntry>& entries);

 private:
  std::filesystem::path file_;
  std::mutex mutex_;
};

}  // namespace paceline::pull
