#include "plugin/net/head_parser.h"

#include <charconv>
#include <utility>

#include "plugin/base/text.h"

namespace paceline::net {
namespace {

/// nginx and Go's server send at most a few KB; a signed Location may reach 8 KB. Includes all interim heads.
constexpr std::size_t kHeadLimit = 256U << 10U;

/// "HTTP/1.1 200 OK" → 200; libcurl has checked the form already.
int parse_status(std::string_view line) {
  const std::size_t blank = line.find(' ');
  int status = 0;
  if (blank != std::string_view::npos) std::from_chars(line.data() + blank + 1, line.data() + line.size(), status);
  return status;
}

}  // namespace

Result<bool> HeadParser::line(std::string_view text) {
  if (complete_) return false;
  bytes_ += text.size();
  if (bytes_ > kHeadLimit) return fail(Code::kResourceExhausted, "response head larger than 256 KB");
  const bool folded = text.starts_with(' ') || text.starts_with('\t');
  text = trim(text);
  if (text.empty()) {
    complete_ = head_.status >= 200;
    expects_status_ = true;  // Of the final head, after an interim one.
    return complete_;
  }
  if (folded) return fail(Code::kUnavailable, "folded header line (obsolete, RFC 9112 section 5.2)");
  if (std::exchange(expects_status_, false)) {
    head_ = {.status = parse_status(text), .headers = {}};
    return false;
  }
  const Status added = field(text);
  if (!added) return fail(added.error());
  return false;
}

Status HeadParser::field(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos) return fail(Code::kUnavailable, "header line without a name");
  head_.headers.add(std::string(trim(text.substr(0, colon))), std::string(trim(text.substr(colon + 1))));
  return {};
}

}  // namespace paceline::net
