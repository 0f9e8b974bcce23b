// Cold pulls of images through the daemon, for `compare --measure`: fetched ahead of time, taken apart by their
// records, and dropped again. One thread.
#pragma once

#include <string>

#include "plugin/cli/comparison.h"
#include "plugin/cli/session.h"

namespace paceline::cli {

/// One pull, then its blobs are dropped. Fails if a blob was there before: that would be no cold pull, and what the
/// node holds is not this command's to drop.
Outcome<MeasuredPulls::Phases> pull_cold(Session& session, Client& client, const std::string& image, bool unpack);

}  // namespace paceline::cli
