// The picture of pulls in progress, as lines of text for a screen of a given size. Pure functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "plugin/cli/progress_model.h"
#include "plugin/cli/style.h"
#include "plugin/cli/terminal.h"

namespace paceline::cli {

/// "[=====>    ]", `width` characters in all.
[[nodiscard]] std::string bar(double fraction, std::size_t width);

/// Everything under way, at most screen.rows - 1 lines, each narrower than the screen: an image a line, below it its
/// layers as far as there is room, and the sum last.
[[nodiscard]] std::vector<std::string> frame(const ProgressModel& model, Screen screen, const Style& style);

/// "2/5 images  41.2/117.8 MB  22.1 MB/s  6 streams  ETA 4s": the sum alone, for logs.
[[nodiscard]] std::string summary(const Totals& totals);

/// How a pull ended: "docker.io/library/redis:7  done  117.8 MB in 5.3s (22.2 MB/s)".
[[nodiscard]] std::string ending(const v1::Pull& pull, const Style& style);

}  // namespace paceline::cli
