// Counts what was dropped from the store, by reason. Any thread: atomics.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>

#include "plugin/store/store.h"

namespace paceline::store {

class Evictions {
 public:
  void count(Eviction why, std::uint64_t bytes) {
    ++blobs_.at(static_cast<std::size_t>(why));
    if (why != Eviction::kUnpacked) unused_bytes_ += bytes;
  }

  /// Every reason is there.
  [[nodiscard]] std::map<Eviction, std::uint64_t> by_reason() const {
    std::map<Eviction, std::uint64_t> out;
    for (const auto why : {Eviction::kQuota, Eviction::kDisk, Eviction::kRequest, Eviction::kUnpacked}) {
      out[why] = blobs_.at(static_cast<std::size_t>(why));
    }
    return out;
  }
  [[nodiscard]] std::uint64_t unused_bytes() const { return unused_bytes_; }

 private:
  std::array<std::atomic<std::uint64_t>, 4> blobs_{};
  std::atomic<std::uint64_t> unused_bytes_{0};
};

}  // namespace paceline::store
