// JSON from outside: bounded in depth and in number of values before it is parsed, and parsed without letting an
// exception or a piece of the text (which may hold a secret) out. Pure functions, any thread.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "plugin/base/result.h"

namespace paceline::oci {

/// `what` names the document in the error. kInvalidArgument: not JSON, nested too deep, too many values, not an object.
Result<nlohmann::json> parse_json_object(std::string_view text, std::string_view what);

/// The member `key` when it is a string, else empty.
std::string string_member(const nlohmann::json& object, const char* key);

}  // namespace paceline::oci
