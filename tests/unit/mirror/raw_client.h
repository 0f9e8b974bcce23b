// A client that sees every byte: what an HTTP library would mend or hide is what the tests ask about.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "plugin/base/fd.h"

namespace paceline::mirror {

struct RawResponse {
  int status = 0;                              ///< 0: the connection ended without a response.
  std::map<std::string, std::string> headers;  ///< Names in lower case; of several, the last.
  std::string body;
  bool complete = false;  ///< The body was as long as announced.
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, const char* host = "127.0.0.1");

  void send(std::string_view bytes) const;
  /// Reads one response; `head_only` after a HEAD.
  RawResponse receive(bool head_only = false);
  RawResponse get(const std::string& target, const std::string& extra_headers = "", const std::string& method = "GET");
  /// Whether the server closed the connection, with nothing more to read.
  bool at_end();
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  bool read_more();

  UniqueFd fd_;
  std::string unread_;
};

}  // namespace paceline::mirror
