// Asking for images and following them until they are here: what prefetch and pin have in common. One thread.
#pragma once

#include "plugin/cli/pull_display.h"
#include "plugin/cli/session.h"

namespace paceline::cli {

Exit run_prefetch(Session& session, const v1::PrefetchRequest& request);

/// Reads pull events into the display until the stream ends, and explains an end that is not the pulls' own.
Exit follow(Session& session, Client::Stream<v1::PullEvent>& stream, PullDisplay& display, bool pulls_go_on);

}  // namespace paceline::cli
