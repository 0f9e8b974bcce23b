// The options that every command shares. Value, read only after parsing.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace paceline::cli {

struct Options {
  enum class Format { kTable, kJson, kCsv, kHtml };  ///< The last two for reports only.

  std::string address = "/run/paceline/paceline.sock";  ///< The daemon's unix socket.
  Format format = Format::kTable;
  bool colour = true;                               ///< Where the output is a terminal and NO_COLOR is not set.
  std::optional<std::chrono::nanoseconds> timeout;  ///< Absent: 30 s for a short call, none for one that waits.
};

}  // namespace paceline::cli
