// The daemon at a glance. Pure function, any thread.
#pragma once

#include <string>
#include <vector>

#include "paceline/v1/paceline.pb.h"
#include "plugin/cli/style.h"

namespace paceline::cli {

struct DaemonStatus {
  std::string address;
  v1::Version version;
  v1::Usage usage;
  std::vector<v1::Pull> pulls;  ///< Under way.
  std::vector<v1::Path> paths;
};

[[nodiscard]] std::string status_text(const DaemonStatus& status, std::int64_t now_unix_ms, const Style& style);

}  // namespace paceline::cli
