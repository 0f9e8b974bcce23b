// Says on standard error how far something is that takes more than a second: on a terminal in one line that is redrawn,
// elsewhere a line now and then. Results on standard output are left alone.
// Thread rule: one call at a time. Borrows output and clock.
#pragma once

#include <cstdint>
#include <string>

#include "plugin/base/clock.h"
#include "plugin/cli/output.h"

namespace paceline::cli {

class ProgressLine {
 public:
  ProgressLine(Output& output, const Clock& clock, std::string what);

  void show(std::uint64_t done_bytes, std::uint64_t all_bytes);
  /// Takes the line away from a terminal.
  void end();

 private:
  Output& output_;
  const Clock& clock_;
  const std::string what_;
  const TimePoint begun_;
  TimePoint next_;
  bool drawn_ = false;
};

}  // namespace paceline::cli
