// File times as the store's clock has them. Any thread.
#pragma once

#include <sys/stat.h>

#include <ctime>

#include "plugin/base/clock.h"

namespace paceline::store {

inline timespec to_timespec(WallTime time) {
  const auto since_epoch = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  return {static_cast<time_t>(seconds.count()), static_cast<long>((since_epoch - seconds).count())};
}

inline WallTime to_wall_time(const timespec& time) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::seconds(time.tv_sec) +
                                                                 std::chrono::nanoseconds(time.tv_nsec)));
}

}  // namespace paceline::store
