#include "plugin/registry/refusal.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "plugin/base/text.h"
#include "plugin/oci/json.h"

namespace paceline::registry {
namespace {

// distribution-spec, "Error Codes", and Docker Hub's TOOMANYREQUESTS.
constexpr std::array<std::string_view, 16> kKnownCodes = {
    "BLOB_UNKNOWN",     "BLOB_UPLOAD_INVALID",   "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",   "MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN", "NAME_INVALID",          "NAME_UNKNOWN",
    "SIZE_INVALID",     "TAG_INVALID",           "UNAUTHORIZED",
    "DENIED",           "UNSUPPORTED",           "TOOMANYREQUESTS",
    "UNAVAILABLE"};

Code code_for(int status) {
  switch (status) {
    case 401:
      return Code::kUnauthenticated;
    case 403:
      return Code::kPermissionDenied;
    case 404:
      return Code::kNotFound;
    case 429:
      return Code::kResourceExhausted;
    default:
      return status >= 500 ? Code::kUnavailable : Code::kFailedPrecondition;
  }
}

std::string reason_in(const std::string& body) {
  const auto parsed = oci::parse_json_object(body, "error");
  if (!parsed) return {};
  const auto errors = parsed->find("errors");
  if (errors == parsed->end() || !errors->is_array() || errors->empty()) return {};
  const std::string code = oci::string_member(errors->front(), "code");
  if (std::find(kKnownCodes.begin(), kKnownCodes.end(), code) == kKnownCodes.end()) return {};
  return " (" + code + ")";
}

std::string_view mend_for(int status) {
  switch (status) {
    case 403:
      return ": the credentials do not allow it";
    case 404:
      return ": no such image, or it is private";
    case 429:
      return ": the registry limits requests; log in, or wait";
    default:
      return "";
  }
}

bool is_framing(std::string_view name) {
  static constexpr std::array<std::string_view, 8> kNames = {"connection",     "keep-alive",      "transfer-encoding",
                                                             "trailer",        "upgrade",         "proxy-authenticate",
                                                             "content-length", "content-encoding"};
  return std::find(kNames.begin(), kNames.end(), to_lower(name)) != kNames.end();
}

}  // namespace

Refusal refusal_of(Error error) {
  Refusal out;
  out.error = std::move(error);
  return out;
}

Refusal refusal_of(net::HttpResponse response, const std::string& name) {
  Refusal out;
  out.status = response.status;
  for (const auto& field : response.headers.fields()) {
    if (!is_framing(field.name)) out.headers.add(field.name, field.value);
  }
  out.body = std::move(response.body);
  if (out.body.size() > kMaxRefusalBytes) out.body.resize(kMaxRefusalBytes);
  out.error = Error{code_for(out.status), name + " answered " + std::to_string(out.status) + reason_in(out.body) +
                                              std::string(mend_for(out.status))};
  return out;
}

int weight(const Refusal& refusal) {
  switch (refusal.status) {
    case 0:
      // Wrong content says as much as "not found"; a host that cannot be reached says nothing.
      return refusal.error.code == Code::kFailedPrecondition || refusal.error.code == Code::kResourceExhausted ? 3 : 1;
    case 401:
      return 6;
    case 403:
      return 5;
    case 429:
      return 4;
    default:
      return refusal.status >= 500 ? 2 : 3;
  }
}

std::string join_challenges(const net::Headers& headers) {
  std::string out;
  for (const auto value : headers.all("WWW-Authenticate")) {
    if (!out.empty()) out += ", ";
    out += value;
  }
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 100)) out.push_back(c >= ' ' && c < 0x7f ? c : '?');
  return out;
}

Status check_path(std::string_view path) {
  const auto refuse = [&] {
    return fail(Code::kInvalidArgument, "'" + printable(path) + "' is no path inside a repository");
  };
  if (path.empty() || path.size() > 4096) return refuse();
  for (const char c : path) {
    if (c <= ' ' || c >= 0x7f || c == '#' || c == '\\') return refuse();
  }
  const auto before_query = path.substr(0, path.find('?'));
  // An encoded dot or slash would be undone behind this check; no path of the distribution API needs one.
  if (before_query.find('%') != std::string_view::npos) return refuse();
  for (const auto part : split(before_query, '/')) {
    if (part.empty() || part == "." || part == "..") return refuse();
  }
  return {};
}

}  // namespace paceline::registry
