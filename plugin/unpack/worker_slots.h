// How many threads work on layers, over all layers: one each that runs unpack_layer(), and helpers only while fewer
// than `limit` work. A layer left alone gets the cores that others no longer need. Any thread.
#pragma once

#include <atomic>

namespace paceline::unpack {

class WorkerSlots {
 public:
  explicit WorkerSlots(unsigned limit) : limit_(limit) {}

  void enter() { working_.fetch_add(1, std::memory_order_relaxed); }  ///< A layer's own thread, which is not refused.
  void leave() { working_.fetch_sub(1, std::memory_order_relaxed); }
  /// For a helper: false when all cores have work.
  bool try_enter() {
    unsigned working = working_.load(std::memory_order_relaxed);
    while (working < limit_) {
      if (working_.compare_exchange_weak(working, working + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }

 private:
  const unsigned limit_;
  std::atomic<unsigned> working_{0};
};

}  // namespace paceline::unpack
