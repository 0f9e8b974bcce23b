#include "plugin/net/url.h"

#include <curl/curl.h>

#include <array>
#include <memory>
#include <utility>

#include "plugin/base/text.h"

namespace paceline::net {
namespace {

/// Far above any real signed URL (S3 and Azure stay below 4 KB); bounds what a hostile Location can make us copy.
constexpr std::size_t kUrlLimit = 64U << 10U;

struct UrlFree {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, UrlFree>;

/// One part, or empty when the URL has none.
std::string part(const UrlHandle& url, CURLUPart what, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), what, &text, flags) != CURLUE_OK) return {};
  std::string value(text);
  curl_free(text);
  return value;
}

Status set_url(const UrlHandle& url, std::string_view text, unsigned flags) {
  if (text.empty()) return fail(Code::kInvalidArgument, "empty URL");
  if (text.size() > kUrlLimit) return fail(Code::kInvalidArgument, "URL longer than 64 KB");
  if (text.find('\0') != std::string_view::npos) return fail(Code::kInvalidArgument, "URL holds a NUL byte");
  const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), flags);
  // The URL itself stays out of the message: what does not parse cannot be redacted.
  if (code != CURLUE_OK) return fail(Code::kInvalidArgument, std::string("malformed URL: ") + curl_url_strerror(code));
  return {};
}

/// Only http and https, without credentials.
Status check_url(const UrlHandle& url) {
  const std::string scheme = part(url, CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return fail(Code::kInvalidArgument, "URL scheme \"" + scheme + "\" is not http or https");
  }
  if (part(url, CURLUPART_HOST).empty()) return fail(Code::kInvalidArgument, "URL without a host");
  if (!part(url, CURLUPART_USER).empty() || !part(url, CURLUPART_PASSWORD).empty()) {
    return fail(Code::kInvalidArgument,
                "URL of " + part(url, CURLUPART_HOST) + " holds credentials; they belong into the credential store");
  }
  return {};
}

Result<UrlHandle> parse(std::string_view text) {
  UrlHandle url(curl_url());
  if (!url) return fail(Code::kResourceExhausted, "out of memory");
  if (Status set = set_url(url, text, 0); !set) return fail(std::move(set.error()));
  if (Status good = check_url(url); !good) return fail(std::move(good.error()));
  return url;
}

std::string host_key_of(const UrlHandle& url) {
  return to_lower(part(url, CURLUPART_HOST)) + ":" + part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

}  // namespace

Result<std::string> host_key(std::string_view url) {
  Result<UrlHandle> parsed = parse(url);
  if (!parsed) return fail(std::move(parsed.error()));
  return host_key_of(*parsed);
}

Result<std::string> resolve_redirect(std::string_view base, std::string_view location) {
  Result<UrlHandle> url = parse(base);
  if (!url) return fail(std::move(url.error()));
  const std::string from = host_key_of(*url);
  const bool from_https = part(*url, CURLUPART_SCHEME) == "https";

  // CURLU_URLENCODE repairs blanks and bytes above 0x7f, as every browser does, and leaves the rest of a signature
  // alone.
  Status set = set_url(*url, trim(location), CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME);
  if (set) set = check_url(*url);
  if (!set) return fail(set.error().context("redirect from " + from));
  if (from_https && part(*url, CURLUPART_SCHEME) != "https") {
    return fail(Code::kPermissionDenied, "redirect from " + from + " to " + host_key_of(*url) +
                                             " leaves https; refused, as the content and its address would be open");
  }
  curl_url_set(url->get(), CURLUPART_FRAGMENT, nullptr, 0);  // Never sent.
  return part(*url, CURLUPART_URL);
}

bool same_origin(std::string_view a, std::string_view b) {
  const Result<UrlHandle> first = parse(a);
  const Result<UrlHandle> second = parse(b);
  return first && second && part(*first, CURLUPART_SCHEME) == part(*second, CURLUPART_SCHEME) &&
         host_key_of(*first) == host_key_of(*second);
}

std::string redact(std::string_view url) {
  UrlHandle parsed(curl_url());
  if (!parsed || !set_url(parsed, url, CURLU_NON_SUPPORT_SCHEME)) return "(malformed URL)";
  for (const CURLUPart secret :
       {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_QUERY, CURLUPART_FRAGMENT}) {
    curl_url_set(parsed.get(), secret, nullptr, 0);
  }
  return part(parsed, CURLUPART_URL);
}

std::string encode(std::string_view text) {
  constexpr std::string_view kUnreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return encoded;
}

}  // namespace paceline::net
