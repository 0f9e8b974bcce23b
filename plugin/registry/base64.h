// Base64 (RFC 4648 §4), as Basic authentication and Docker's config.json use it. Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace paceline::registry {

std::string base64_encode(std::string_view bytes);
/// Padding may be missing; anything else out of place is empty.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace paceline::registry
