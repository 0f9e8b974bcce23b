// The last cold starts, newest first, for whoever shows them. Any thread.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <vector>

#include "plugin/records/listener.h"
#include "plugin/records/record_store.h"

namespace paceline::status {

class RecentStarts final : public records::Listener {
 public:
  explicit RecentStarts(std::size_t most) : most_(most) {}

  /// Begins with what an earlier run of the daemon has kept.
  void recall(records::RecordStore& store);
  /// Of the same pull only the last is kept.
  void record(const records::ColdStart& record) override;
  [[nodiscard]] std::vector<records::ColdStart> newest() const;

 private:
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::deque<records::ColdStart> starts_;
};

}  // namespace paceline::status
