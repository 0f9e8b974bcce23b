#include "plugin/status/pages.h"

#include <random>
#include <string_view>

#include "plugin/status/page_html.h"

namespace paceline::status {
namespace {

constexpr std::string_view kNonceMark = "@NONCE@";

mirror::Response refusal(int status, std::string text) {
  mirror::Response response;
  response.status = status;
  response.headers.set("Content-Type", "text/plain; charset=utf-8");
  response.body = std::move(text) + "\n";
  return response;
}

/// "localhost", "127.0.0.1" or "[::1]", with any port: it may be forwarded.
bool names_this_machine(std::string_view host) {
  const auto colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) host = host.substr(0, colon);
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

std::string make_nonce() {
  std::random_device random;
  std::string out;
  for (int i = 0; i < 4; ++i) {
    const auto word = random();
    for (unsigned shift = 0; shift < 32; shift += 4) out += "0123456789abcdef"[(word >> shift) & 15U];
  }
  return out;
}

std::string page_with(const std::string& nonce) {
  std::string page(kPageHtml);
  for (auto at = page.find(kNonceMark); at != std::string::npos; at = page.find(kNonceMark, at)) {
    page.replace(at, kNonceMark.size(), nonce);
  }
  return page;
}

}  // namespace

mirror::Response Pages::answer(const mirror::Request& request) const {
  if (!readers_.allowed(request.user)) {
    return refusal(403, "the status page is for root and the daemon's own user; metrics.status_uids names more");
  }
  if (!names_this_machine(request.headers.get("Host"))) {
    return refusal(400, "ask for this page by localhost, 127.0.0.1 or [::1]");
  }
  mirror::Response response;
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("X-Content-Type-Options", "nosniff");
  if (std::string_view(request.target).starts_with("/status.json")) {
    response.headers.set("Content-Type", "application/json");
    response.body = state_();
    return response;
  }
  const std::string nonce = make_nonce();
  response.headers.set("Content-Type", "text/html; charset=utf-8");
  response.headers.set("Content-Security-Policy",
                       "default-src 'none'; connect-src 'self'; img-src data:; script-src 'nonce-" + nonce +
                           "'; style-src 'nonce-" + nonce +
                           "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  response.headers.set("Referrer-Policy", "no-referrer");
  response.body = page_with(nonce);
  return response;
}

}  // namespace paceline::status
