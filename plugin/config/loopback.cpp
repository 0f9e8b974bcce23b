#include <arpa/inet.h>

#include <charconv>

#include "plugin/config/config.h"

namespace paceline::config {
namespace {

// Numeric addresses only, so that no resolver decides who can reach what listens there.
bool is_loopback(const std::string& host) {
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24U == IN_LOOPBACKNET;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace

std::string LoopbackAddress::to_string() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<LoopbackAddress> parse_loopback(std::string_view text) {
  const auto malformed = [&](std::string_view why) {
    return fail(Code::kInvalidArgument, "'" + std::string(text) + "' " + std::string(why) + ", e.g. 127.0.0.1:5151");
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed("must be a loopback address and a port");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  unsigned port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || port > 65'535) {
    return malformed("has no port between 0 and 65535");
  }
  LoopbackAddress address{.host = {}, .port = static_cast<std::uint16_t>(port)};
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    address.host = host.substr(1, host.size() - 2);
    if (address.host.find(':') == std::string::npos) return malformed("holds brackets around what is not IPv6");
  } else if (host.find(':') != std::string_view::npos) {
    return malformed("needs brackets around an IPv6 address");
  } else {
    address.host = host == "localhost" ? "127.0.0.1" : host;
  }
  if (!is_loopback(address.host)) return malformed("is not a loopback address: it is to serve this machine only");
  return address;
}

}  // namespace paceline::config
