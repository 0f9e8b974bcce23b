#include "plugin/unpack/worker_slots.h"

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <thread>
#include <vector>

namespace paceline::unpack {
namespace {

TEST(WorkerSlots, NeverMoreThanTheLimit) {
  WorkerSlots slots(2);
  std::atomic<int> in{0};
  std::atomic<int> most{0};
  std::vector<std::jthread> threads;
  for (WorkerSlots::Rank rank = 0; rank < 16; ++rank) {
    threads.emplace_back([&, rank] {
      for (int i = 0; i < 200; ++i) {
        slots.enter(rank);
        const int now = ++in;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        --in;
        slots.leave();
      }
    });
  }
  threads.clear();
  EXPECT_LE(most, 2);
  EXPECT_TRUE(slots.try_enter());
  EXPECT_TRUE(slots.try_enter());
  EXPECT_FALSE(slots.try_enter());
}

TEST(WorkerSlots, HelpersComeOnlyWhereNobodyElseWants) {
  WorkerSlots slots(1);
  EXPECT_TRUE(slots.try_enter());
  EXPECT_FALSE(slots.try_enter());
  slots.leave();
  EXPECT_TRUE(slots.try_enter());
}

TEST(WorkerSlots, TheLowestRankIsNext) {
  WorkerSlots slots(1);
  slots.enter(5);
  std::mutex mutex;
  std::vector<WorkerSlots::Rank> order;
  std::vector<std::jthread> threads;
  for (const WorkerSlots::Rank rank : {9U, 2U, 7U, 3U}) {
    threads.emplace_back([&, rank] {
      slots.enter(rank);
      {
        const std::lock_guard lock(mutex);
        order.push_back(rank);
      }
      slots.leave();
    });
  }
  while (slots.waiting() < 4) std::this_thread::yield();
  slots.give_way(5);  // To 2 and 3.
  {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(order, (std::vector<WorkerSlots::Rank>{2, 3}));
  }
  slots.leave();
  threads.clear();
  EXPECT_EQ(order, (std::vector<WorkerSlots::Rank>{2, 3, 7, 9}));
}

}  // namespace
}  // namespace paceline::unpack
