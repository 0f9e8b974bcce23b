#include "tests/unit/mirror/raw_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>

#include "plugin/base/text.h"

namespace paceline::mirror {

RawClient::RawClient(std::uint16_t port, const char* host) {
  sockaddr_in v4{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  const bool is_v4 = ::inet_pton(AF_INET, host, &v4.sin_addr) == 1;
  EXPECT_TRUE(is_v4 || ::inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) << host;
  fd_ = UniqueFd(::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* const address = is_v4 ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
  EXPECT_EQ(::connect(fd_.get(), address, is_v4 ? sizeof(v4) : sizeof(v6)), 0);
}

void RawClient::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool RawClient::read_more() {
  std::array<char, 65536> buffer{};
  const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (got <= 0) return false;
  unread_.append(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

bool RawClient::at_end() { return unread_.empty() && !read_more(); }

RawResponse RawClient::receive(bool head_only) {
  RawResponse response;
  std::size_t end = 0;
  while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more()) return response;
  }
  const std::string head = unread_.substr(0, end);
  unread_.erase(0, end + 4);
  const auto lines = split(head, '\n');
  response.status = std::stoi(std::string(lines[0].substr(9, 3)));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto colon = lines[i].find(':');
    response.headers[to_lower(lines[i].substr(0, colon))] = trim(lines[i].substr(colon + 1));
  }
  if (head_only || response.status == 304) {
    response.complete = true;
  } else if (response.headers.contains("content-length")) {
    const std::size_t length = std::stoull(response.headers["content-length"]);
    while (unread_.size() < length && read_more()) {
    }
    response.body = unread_.substr(0, length);
    unread_.erase(0, length);
    response.complete = response.body.size() == length;
  } else {
    for (;;) {
      std::size_t line = 0;
      while ((line = unread_.find("\r\n")) == std::string::npos) {
        if (!read_more()) return response;
      }
      const std::size_t length = std::stoull(unread_.substr(0, line), nullptr, 16);
      while (unread_.size() < line + 2 + length + 2) {
        if (!read_more()) return response;
      }
      response.body += unread_.substr(line + 2, length);
      unread_.erase(0, line + 2 + length + 2);
      if (length == 0) break;
    }
    response.complete = true;
  }
  return response;
}

RawResponse RawClient::get(const std::string& target, const std::string& extra_headers, const std::string& method) {
  send(method + " " + target + " HTTP/1.1\r\nHost: mirror\r\n" + extra_headers + "\r\n");
  return receive(method == "HEAD");
}

}  // namespace paceline::mirror
