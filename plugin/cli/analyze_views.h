// An analysed image as text, as JSON and as a page. Pure functions, any thread.
#pragma once

#include <string>

#include "plugin/analyze/advice.h"
#include "plugin/cli/image_options.h"
#include "plugin/cli/json.h"
#include "plugin/cli/style.h"

namespace paceline::cli {

[[nodiscard]] std::string analysis_text(const analyze::Analysis& analysis, const analyze::AdviceList& advice,
                                        const Prediction& prediction, const Style& style);
/// `files`: with the paths of each class of waste, by layer.
[[nodiscard]] Json analysis_json(const analyze::Analysis& analysis, const analyze::AdviceList& advice,
                                 const Prediction& prediction, bool files);
[[nodiscard]] std::string analysis_html(const analyze::Analysis& analysis, const analyze::AdviceList& advice,
                                        const Prediction& prediction);

/// The parts of a predicted pull, in milliseconds.
[[nodiscard]] Json to_json(const adaptive::PullPrediction& prediction);
/// "1.23s"
[[nodiscard]] std::string seconds_text(double seconds);

}  // namespace paceline::cli
