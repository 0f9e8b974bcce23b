// The ingests that exist and their status, in memory; one writer a ref. Any thread; no call does I/O.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "plugin/store/ingest.h"

namespace paceline::store {

class IngestTable {
 public:
  /// Makes the caller the only writer of `ref`: what is known of it (nothing for a new one), or kUnavailable.
  Result<std::optional<IngestStatus>> claim(const std::string& ref);
  /// The claim's owner tells how it stands; a new ingest is seen by others from the first time on.
  void publish(const IngestStatus& status);
  /// Ends the claim, keeping the ingest or forgetting it.
  void release(const std::string& ref, bool keep);

  /// An ingest found at start.
  void add(const IngestStatus& status);
  [[nodiscard]] std::optional<IngestStatus> find(const std::string& ref) const;
  [[nodiscard]] std::vector<IngestStatus> list() const;

 private:
  struct Entry {
    std::optional<IngestStatus> status;
    bool claimed = false;
  };
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace paceline::store
