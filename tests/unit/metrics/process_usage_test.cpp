#include "plugin/metrics/process_usage.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <chrono>

#include "plugin/base/fd.h"

namespace paceline::metrics {
namespace {

TEST(ProcessUsage, TellsOfThisProcess) {
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const auto before = read_process_usage();
  EXPECT_GT(before.start_time, now - 3600);
  EXPECT_LT(before.start_time, now + 2);  // The machine's start is known to the second.
  EXPECT_GT(before.resident_bytes, 100'000U);
  const UniqueFd another(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto after = read_process_usage();
  EXPECT_EQ(after.open_fds, before.open_fds + 1);
  EXPECT_GE(after.cpu_seconds, before.cpu_seconds);
  EXPECT_GT(after.max_fds, after.open_fds);
  EXPECT_GE(after.virtual_bytes, after.resident_bytes);
  EXPECT_GE(after.threads, 1U);
}

}  // namespace
}  // namespace paceline::metrics
