// Shows a stream of pull events: bars redrawn in place on a terminal, a line now and then elsewhere, one JSON object an
// event with --output json.
// Thread rule: one thread. Borrows the output and the clock.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "paceline/v1/paceline.pb.h"
#include "plugin/base/clock.h"
#include "plugin/cli/exit_code.h"
#include "plugin/cli/live_area.h"
#include "plugin/cli/output.h"
#include "plugin/cli/progress_model.h"

namespace paceline::cli {

class PullDisplay {
 public:
  /// `endless`: pulls come and go, and there is no last one.
  PullDisplay(Output& output, const Clock& clock, bool endless);

  void event(const v1::Pull& pull);
  /// The last picture; what was drawn in place is taken away.
  void end();

  [[nodiscard]] bool endless() const { return endless_; }
  /// Ids of the pulls that are not over.
  [[nodiscard]] std::vector<std::string> unfinished() const;
  /// Of the pulls that ended: kOk when all are done.
  [[nodiscard]] Exit exit() const { return exit_; }

 private:
  static constexpr std::chrono::milliseconds kFrame{100};
  static constexpr std::chrono::seconds kLine{10};

  void finished(const v1::Pull& pull);

  Output& output_;
  const Clock& clock_;
  const bool endless_;
  ProgressModel model_;
  LiveArea area_;
  TimePoint drawn_;
  Exit exit_ = Exit::kOk;
};

}  // namespace paceline::cli
