// The daemon's pulls, running and recently ended, oldest first. All functions may be called from any thread.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/pull/pull_record.h"

namespace paceline::pull {

class PullList {
 public:
  /// Holds at most `kept` pulls, but never drops one that is not over. `clock` is borrowed.
  PullList(const Clock& clock, std::size_t kept) : clock_(clock), kept_(kept) {}

  /// A new pull, under a key and an id of its own.
  std::shared_ptr<PullRecord> add(PullRecord::Request request);

  [[nodiscard]] std::vector<std::shared_ptr<PullRecord>> all() const;
  [[nodiscard]] std::shared_ptr<PullRecord> find(const std::string& id) const;  ///< Null when there is none.

 private:
  const Clock& clock_;
  const std::size_t kept_;
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<PullRecord>> records_;
  PullKey last_key_ = 0;
};

}  // namespace paceline::pull
