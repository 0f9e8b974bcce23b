// The daemon's partial downloads: which exist, how much disk they hold, and which one is open (one opener a digest).
// Any thread; no call does I/O.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "plugin/store/blob_table.h"

namespace paceline::store {

class PartialTable {
 public:
  struct Partial {
    std::uint64_t allocated = 0;  ///< Bytes on disk.
    WallTime last_used;
  };

  /// Makes the caller the only one to touch that download, new or left from before; empty while another one is.
  std::optional<Partial> claim(const Digest& digest);
  /// As claim(), but only when there is one.
  std::optional<Partial> claim_existing(const Digest& digest);
  /// Ends the claim; without a value the download is gone.
  void release(const Digest& digest, std::optional<Partial> left);

  /// Those that nobody works on and that were left some time ago, oldest first.
  [[nodiscard]] std::vector<BlobTable::Candidate> eviction_order(WallTime now) const;

 private:
  struct Entry {
    Partial partial;
    bool claimed = false;
  };
  mutable std::mutex mutex_;
  std::unordered_map<Digest, Entry> entries_;
};

}  // namespace paceline::store
