// Lists come in pages: an answer's Link names the next one (distribution specification, "Listing Tags"; RFC 8288).
// Upstream names it for its own address; a client that follows it must come back through the mirror. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "plugin/mirror/route.h"

namespace paceline::mirror {

/// The Link for the client: the same list of the same registry at the place that `upstream` names. Empty: it names no
/// next page.
[[nodiscard]] std::string next_page(std::string_view upstream, const Route& route);

}  // namespace paceline::mirror
