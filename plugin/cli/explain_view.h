// One cold start as a timeline of bars and in words. Pure, any thread.
#pragma once

#include <string>

#include "plugin/cli/style.h"
#include "plugin/records/cold_start.h"

namespace paceline::cli {

/// `width`: columns of the terminal.
[[nodiscard]] std::string explain_text(const records::ColdStart& record, const Style& style, std::size_t width);

}  // namespace paceline::cli
