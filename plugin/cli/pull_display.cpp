#include "plugin/cli/pull_display.h"

#include "plugin/cli/progress_view.h"

namespace paceline::cli {

PullDisplay::PullDisplay(Output& output, const Clock& clock, bool endless)
    : output_(output), clock_(clock), endless_(endless), area_(output.terminal()), drawn_(clock.now()) {}

void PullDisplay::event(const v1::Pull& pull) {
  const TimePoint now = clock_.now();
  model_.update(pull, now);
  if (output_.json()) output_.object(to_json(pull));
  if (is_over(pull)) finished(pull);
  if (output_.json() || now - drawn_ < (output_.live() ? Duration(kFrame) : Duration(kLine))) return;
  drawn_ = now;
  if (output_.live()) {
    area_.draw(frame(model_, output_.terminal().screen(), output_.style()));
  } else {
    output_.line(summary(model_.totals()));
  }
}

void PullDisplay::finished(const v1::Pull& pull) {
  if (pull.state() != v1::PULL_STATE_DONE) exit_ = combine(exit_, exit_for_pull(pull.error().code()));
  if (!output_.json()) {
    if (output_.live()) {
      area_.print(ending(pull, output_.style()));
    } else if (pull.state() == v1::PULL_STATE_FAILED) {
      output_.error(pull.image() + ": " + pull.error().message());
    } else {
      output_.line(ending(pull, output_.style()));
    }
  }
  if (endless_) model_.forget_finished();
}

void PullDisplay::end() {
  if (output_.live()) area_.clear();
  const Totals totals = model_.totals();
  if (!output_.json() && !endless_ && totals.images > 1) output_.line(summary(totals));
}

std::vector<std::string> PullDisplay::unfinished() const {
  std::vector<std::string> ids;
  for (const auto& pull : model_.pulls()) {
    if (!is_over(pull)) ids.push_back(pull.pull_id());
  }
  return ids;
}

}  // namespace paceline::cli
