// Sets trust and client certificate of one easy handle. Everything is set by options that are part of libcurl's key for
// connection reuse and TLS sessions (never by a callback), so that a request that verifies cannot ride on a connection
// opened by one that did not. Any thread.
#pragma once

#include <curl/curl.h>

#include <string>

#include "plugin/base/result.h"
#include "plugin/net/http.h"

namespace paceline::net {

/// `ca_bundle`: NetworkOptions::ca_bundle. Fails when a CA file cannot be read.
Status set_tls(CURL* easy, const TlsOptions& tls, const std::string& ca_bundle);

}  // namespace paceline::net
