// What a registry's answer to a request for bytes of a blob means. Pure; the answer is hostile until checked.
// Sources: RFC 9110 §14 (Range), §15; OCI distribution-spec "Pulling blobs". Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "plugin/base/clock.h"
#include "plugin/net/http.h"

namespace paceline::pull {

/// Bytes [first, end) of a blob of `size` bytes were asked for.
struct AskedRange {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
  std::uint64_t size = 0;
  bool with_range = false;  ///< The request carried a Range header.
};

enum class Verdict {
  kPending,       ///< No answer yet (the transfer broke before its head).
  kData,          ///< The body is what was asked for, from `body_offset` on.
  kRedirect,      ///< The blob is at `detail` (the Location as sent).
  kUnauthorized,  ///< 401: `detail` is the challenge.
  kForbidden,     ///< 403: no right, or a signed URL that has expired.
  kNotFound,      ///< 404, 410.
  kThrottled,     ///< 429, 503: `retry_after`.
  kServerError,   ///< Another 5xx, 408, 425: trying again makes sense.
  kRangeRefused,  ///< The host ignores or mishandles Range: one stream from now on.
  kWrongSize,     ///< The blob there is not as long as the manifest says.
  kRefused,       ///< Any other status: trying again makes no sense.
};

struct Answer {
  Verdict verdict = Verdict::kPending;
  std::uint64_t body_offset = 0;  ///< kData: where in the blob the body begins.
  std::string detail;             ///< As above, or what was wrong, for the error message.
  Duration retry_after{0};        ///< kThrottled; 0: not named.
};

Answer check_response(const net::ResponseHead& head, const AskedRange& asked, WallTime now);

}  // namespace paceline::pull
