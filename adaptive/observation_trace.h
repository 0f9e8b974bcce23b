// Observations as lines of text: the daemon logs them at level trace, a test reads them back and shows them to a
// controller. Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "adaptive/stream_controller.h"

namespace paceline::adaptive {

/// The members in their order, separated by commas; durations in microseconds.
[[nodiscard]] std::string to_line(const Observation& observation);
/// Empty for anything that to_line() does not write.
[[nodiscard]] std::optional<Observation> from_line(std::string_view line);

}  // namespace paceline::adaptive
