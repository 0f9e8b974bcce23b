// Timers of the network thread, soonest first; equal times in order of creation. One thread. The actions are owned
// here until they ran or were cancelled.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "plugin/base/clock.h"

namespace paceline::net {

class Timers {
 public:
  using Id = std::uint64_t;

  Id add(TimePoint when, std::function<void()> action);
  /// Unknown ids (ran already, or cancelled) are ignored.
  void cancel(Id id);
  /// Runs what is due at `now`. Timers that the actions add wait for the next call, however soon they are due.
  void run_due(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next() const;
  void clear();

 private:
  std::map<std::pair<TimePoint, Id>, std::function<void()>> queue_;
  std::unordered_map<Id, TimePoint> times_;
  Id last_id_ = 0;
};

}  // namespace paceline::net
