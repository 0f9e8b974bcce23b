// Logging: the one global, spdlog's default logger, as text or as one JSON object a line. Any thread.
// A value that could hold a credential (a header, a URL's query) goes through net's redaction first.
#pragma once

#include <spdlog/spdlog.h>

#include <string_view>

#include "plugin/base/result.h"

namespace paceline {

enum class LogFormat { kText, kJson };

/// Sets level ("trace", "debug", "info", "warn", "error") and format of the default logger, which writes to stderr.
Status set_up_logging(std::string_view level, LogFormat format);

}  // namespace paceline
