// CPU time of the calling thread: what its work costs, whoever else has the core meanwhile. Any thread.
#pragma once

#include <ctime>

#include "plugin/base/clock.h"

namespace paceline {

inline Duration thread_cpu_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace paceline
