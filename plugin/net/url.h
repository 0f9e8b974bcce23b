// URLs, by libcurl's own parser, so that what is checked is what is fetched. Values, any thread.
#pragma once

#include <string>
#include <string_view>

#include "plugin/base/result.h"

namespace paceline::net {

/// "host:port" in lower case, the port always present: the key of a path's state.
Result<std::string> host_key(std::string_view url);

/// Resolves a Location header against the URL it came from. Refuses anything but http(s), a step from https to http,
/// and credentials inside the URL.
Result<std::string> resolve_redirect(std::string_view base, std::string_view location);

/// Whether both URLs have the same scheme, host and port: only then may Authorization be sent on.
bool same_origin(std::string_view a, std::string_view b);

/// The URL without user info and query (signed URLs carry secrets there): fit for a log or an error.
std::string redact(std::string_view url);

/// Percent-encodes a query or path component.
std::string encode(std::string_view text);

}  // namespace paceline::net
