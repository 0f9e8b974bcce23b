#include "plugin/net/timers.h"

namespace paceline::net {

Timers::Id Timers::add(TimePoint when, std::function<void()> action) {
  const Id id = ++last_id_;
  queue_.emplace(std::pair(when, id), std::move(action));
  times_.emplace(id, when);
  return id;
}

void Timers::cancel(Id id) {
  const auto found = times_.find(id);
  if (found == times_.end()) return;
  // The action dies after the tables are consistent: its captures' destructors may call back.
  const auto entry = queue_.extract({found->second, id});
  times_.erase(found);
}

void Timers::run_due(TimePoint now) {
  const Id newest = last_id_;
  while (!queue_.empty()) {
    const auto [when, id] = queue_.begin()->first;
    if (when > now || id > newest) return;
    const auto entry = queue_.extract(queue_.begin());
    times_.erase(id);
    entry.mapped()();
  }
}

std::optional<TimePoint> Timers::next() const {
  if (queue_.empty()) return std::nullopt;
  return queue_.begin()->first.first;
}

void Timers::clear() {
  const auto dropped = std::exchange(queue_, {});
  times_.clear();
}

}  // namespace paceline::net
