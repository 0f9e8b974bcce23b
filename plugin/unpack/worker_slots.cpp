#include "plugin/unpack/worker_slots.h"

namespace paceline::unpack {

void WorkerSlots::enter(Rank rank) {
  std::unique_lock lock(mutex_);
  await_turn(lock, rank);
}

void WorkerSlots::await_turn(std::unique_lock<std::mutex>& lock, Rank rank) {
  const auto place = waiting_.insert(rank);
  contested_ = true;
  changed_.wait(lock, [&] { return free_ > 0 && *waiting_.begin() == rank; });
  waiting_.erase(place);
  contested_ = !waiting_.empty();
  --free_;
  // The next in line may have been woken before it was its turn.
  if (free_ > 0 && contested_) changed_.notify_all();
}

void WorkerSlots::leave() {
  {
    const std::lock_guard lock(mutex_);
    ++free_;
    if (!contested_) return;
  }
  changed_.notify_all();
}

bool WorkerSlots::try_enter() {
  const std::lock_guard lock(mutex_);
  if (free_ == 0 || !waiting_.empty()) return false;
  --free_;
  return true;
}

std::size_t WorkerSlots::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void WorkerSlots::give_way(Rank rank) {
  if (!contested_.load(std::memory_order_relaxed)) return;
  std::unique_lock lock(mutex_);
  if (waiting_.empty() || *waiting_.begin() >= rank) return;
  // Under one lock: or else one of a higher rank might slip in before this one waits again.
  ++free_;
  changed_.notify_all();
  await_turn(lock, rank);
}

}  // namespace paceline::unpack
