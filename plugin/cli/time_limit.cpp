#include "plugin/cli/time_limit.h"

#include <unistd.h>

#include "plugin/base/text.h"

namespace paceline::cli {

TimeLimit::TimeLimit(std::optional<Duration> limit, Output& output, std::string doing) {
  if (!limit) return;
  thread_ = std::thread([this, limit = *limit, &output, doing = std::move(doing)] { wait(limit, output, doing); });
}

TimeLimit::~TimeLimit() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  ended_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void TimeLimit::wait(Duration limit, Output& output, const std::string& doing) {
  std::unique_lock lock(mutex_);
  if (ended_.wait_for(lock, limit, [this] { return over_; })) return;
  if (output.live_errors()) output.note({}, true);
  output.error("no end within " + format_duration(limit) + " of " + doing + "; --timeout sets the limit");
  ::_exit(static_cast<int>(Exit::kTimeout));
}

}  // namespace paceline::cli
