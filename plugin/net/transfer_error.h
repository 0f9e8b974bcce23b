// Turns a libcurl failure into an Error that names the request, the cause and the mend. Any thread.
#pragma once

#include <curl/curl.h>

#include <string>
#include <string_view>

#include "plugin/base/result.h"

namespace paceline::net {

/// `what`: "GET https://host/path", redacted. `detail`: libcurl's error buffer, or empty.
Error transfer_error(CURLcode code, std::string_view what, std::string_view detail);

}  // namespace paceline::net
