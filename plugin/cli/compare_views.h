// A comparison of two images as text, as JSON and as a page. Pure functions, any thread.
#pragma once

#include <string>

#include "plugin/cli/comparison.h"
#include "plugin/cli/image_options.h"
#include "plugin/cli/json.h"
#include "plugin/cli/style.h"

namespace paceline::cli {

struct ComparedImages {
  const analyze::Analysis& a;
  const analyze::Analysis& b;
  const Comparison& comparison;
  const MeasuredPulls& measured_a;  ///< Without pulls: nothing was measured.
  const MeasuredPulls& measured_b;
  const Prediction& prediction;
};

[[nodiscard]] std::string comparison_text(const ComparedImages& images, const Style& style);
[[nodiscard]] Json comparison_json(const ComparedImages& images);
[[nodiscard]] std::string comparison_html(const ComparedImages& images);

}  // namespace paceline::cli
