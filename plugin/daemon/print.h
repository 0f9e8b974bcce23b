// What pacelined prints and does not log: help, version, and what its `config` commands show. One thread.
#pragma once

#include <string_view>

#include "plugin/daemon/options.h"

namespace paceline::daemon {

/// Writes to standard output. kFailed, and said on standard error, if it could not; a reader that went away has had
/// enough, and nothing is said.
Exit print(std::string_view text);

}  // namespace paceline::daemon
