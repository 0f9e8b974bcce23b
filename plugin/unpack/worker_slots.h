// How many threads work on layers at a time, over all layers. More than that may have begun one: whoever waits for
// bytes or for another thread leaves meanwhile, so that a slow download holds up no layer whose bytes are there. Nobody
// waits for anything else while he is in. Of those who want in, the lowest rank is next. Any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>

namespace paceline::unpack {

class WorkerSlots {
 public:
  using Rank = std::uint64_t;

  explicit WorkerSlots(unsigned limit) : free_(limit) {}

  /// Waits until a slot is free and nobody of a lower rank wants it.
  void enter(Rank rank);
  void leave();
  /// For a helper: false when all cores have work, or would have.
  bool try_enter();
  /// Leaves and enters again if somebody of a lower rank waits. Costs nothing when nobody does.
  void give_way(Rank rank);
  [[nodiscard]] std::size_t waiting() const;

 private:
  void await_turn(std::unique_lock<std::mutex>& lock, Rank rank);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  unsigned free_;
  std::multiset<Rank> waiting_;
  std::atomic<bool> contested_{false};  // Whether anybody waits.
};

/// One layer's part in the slots. Without slots everything is allowed, helpers excepted.
class Turn {
 public:
  Turn() = default;
  /// The rank may change; it is looked at each time.
  Turn(WorkerSlots* slots, const std::atomic<WorkerSlots::Rank>* rank) : slots_(slots), rank_(rank) {}

  void enter() const {
    if (slots_ != nullptr) slots_->enter(rank());
  }
  void leave() const {
    if (slots_ != nullptr) slots_->leave();
  }
  [[nodiscard]] bool try_enter() const { return slots_ != nullptr && slots_->try_enter(); }
  void give_way() const {
    if (slots_ != nullptr) slots_->give_way(rank());
  }

 private:
  [[nodiscard]] WorkerSlots::Rank rank() const { return rank_ != nullptr ? rank_->load() : 0; }

  WorkerSlots* slots_ = nullptr;
  const std::atomic<WorkerSlots::Rank>* rank_ = nullptr;
};

}  // namespace paceline::unpack
