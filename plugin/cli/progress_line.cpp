#include "plugin/cli/progress_line.h"

#include <algorithm>

#include "plugin/cli/format.h"

namespace paceline::cli {
namespace {

using std::chrono::milliseconds;

constexpr Duration kPatience = std::chrono::seconds(1);
constexpr Duration kRedraw = milliseconds(100);
constexpr Duration kLine = std::chrono::seconds(10);

}  // namespace

ProgressLine::ProgressLine(Output& output, const Clock& clock, std::string what)
    : output_(output), clock_(clock), what_(std::move(what)), begun_(clock.now()), next_(begun_ + kPatience) {}

void ProgressLine::show(std::uint64_t done_bytes, std::uint64_t all_bytes) {
  const TimePoint now = clock_.now();
  if (now < next_) return;
  const std::uint64_t all = std::max<std::uint64_t>(all_bytes, 1);
  const std::string text = what_ + ": " + format_part(std::min(done_bytes, all), all) + ", " +
                           std::to_string(std::min<std::uint64_t>(100, 100 * done_bytes / all)) + " %";
  next_ = now + (output_.live_errors() ? kRedraw : kLine);
  output_.note(text, drawn_);
  drawn_ = true;
}

void ProgressLine::end() {
  if (drawn_ && output_.live_errors()) output_.note({}, true);
  drawn_ = false;
}

}  // namespace paceline::cli
