#include "plugin/pull/response_check.h"

#include <charconv>
#include <optional>

namespace paceline::pull {
namespace {

std::optional<std::uint64_t> content_length(const net::Headers& headers) {
  const std::string_view text = headers.get("Content-Length");
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Answer whole_body(const net::ResponseHead& head, const AskedRange& asked) {
  // A server that answers a real part with the whole blob ignores Range; taken from the start it would still cost
  // the whole blob once a stream.
  if (asked.with_range) return {Verdict::kRangeRefused, 0, "200 to a range request", {}};
  if (const auto length = content_length(head.headers); length && *length != asked.size) {
    return {Verdict::kWrongSize,
            0,
            "the registry sends " + std::to_string(*length) + " bytes, the manifest says " + std::to_string(asked.size),
            {}};
  }
  return {Verdict::kData, 0, {}, {}};
}

Answer partial_body(const net::ResponseHead& head, const AskedRange& asked) {
  if (!asked.with_range) return {Verdict::kRangeRefused, 0, "206 to a request without a range", {}};
  const auto range = net::parse_content_range(head.headers.get("Content-Range"));
  if (!range) return {Verdict::kRangeRefused, 0, "206 with a bad Content-Range: " + range.error().message, {}};
  if (range->total && *range->total != asked.size) {
    return {
        Verdict::kWrongSize,
        0,
        "the registry has " + std::to_string(*range->total) + " bytes, the manifest says " + std::to_string(asked.size),
        {}};
  }
  if (range->first != asked.first || range->last + 1 != asked.end) {
    return {Verdict::kRangeRefused, 0, "206 for another range than asked for", {}};
  }
  if (const auto length = content_length(head.headers); length && *length != asked.end - asked.first) {
    return {Verdict::kRangeRefused, 0, "206 whose Content-Length contradicts its Content-Range", {}};
  }
  return {Verdict::kData, asked.first, {}, {}};
}

}  // namespace

Answer check_response(const net::ResponseHead& head, const AskedRange& asked, WallTime now) {
  const std::string status = "HTTP " + std::to_string(head.status);
  switch (head.status) {
    case 200:
      return whole_body(head, asked);
    case 206:
      return partial_body(head, asked);
    case 301:
    case 302:
    case 303:
    case 307:
    case 308: {
      const std::string_view location = head.headers.get("Location");
      if (location.empty()) return {Verdict::kRefused, 0, status + " without a Location", {}};
      return {Verdict::kRedirect, 0, std::string(location), {}};
    }
    case 401:
      return {Verdict::kUnauthorized, 0, std::string(head.headers.get("WWW-Authenticate")), {}};
    case 403:
      return {Verdict::kForbidden, 0, status, {}};
    case 404:
    case 410:
      return {Verdict::kNotFound, 0, status, {}};
    case 416:
      return {asked.with_range ? Verdict::kRangeRefused : Verdict::kRefused, 0, status, {}};
    case 429:
    case 503: {
      const auto delay = net::parse_retry_after(head.headers.get("Retry-After"), now);
      return {Verdict::kThrottled, 0, status, delay.value_or(Duration{0})};
    }
    case 408:
    case 425:
      return {Verdict::kServerError, 0, status, {}};
    default:
      break;
  }
  if (head.status >= 500) return {Verdict::kServerError, 0, status, {}};
  return {Verdict::kRefused, 0, status, {}};
}

}  // namespace paceline::pull
