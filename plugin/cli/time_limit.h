// --timeout of a command that asks no daemon: reading an image waits in many places (names, tokens, ranges, decoders),
// and none of them has anything to tidy up.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "plugin/base/clock.h"
#include "plugin/cli/output.h"

namespace paceline::cli {

/// While it lives, the process has this long; then it says what it was doing and ends at once with Exit::kTimeout.
/// Borrows `output`, against its rule of one thread: for the last words only, on standard error, which is safe for it.
class TimeLimit {
 public:
  TimeLimit(std::optional<Duration> limit, Output& output, std::string doing);  ///< Absent: none.
  ~TimeLimit();
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;

 private:
  void wait(Duration limit, Output& output, const std::string& doing);

  std::mutex mutex_;
  std::condition_variable ended_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace paceline::cli
