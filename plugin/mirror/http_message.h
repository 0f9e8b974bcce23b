// What the mirror's server hands to its handler and gets back. A handler runs on the thread of its connection and may
// block.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "plugin/base/result.h"
#include "plugin/net/http.h"

namespace paceline::mirror {

struct Request {
  std::string method;
  std::string target;  ///< As sent, percent-encoded: "/v2/library/redis/manifests/7?ns=docker.io".
  net::Headers headers;
  std::optional<uid_t> user;  ///< Who made the socket at the other end; empty: it cannot be told any more.
};

/// A body that is not at hand whole. Read by one thread; destroying it ends what feeds it.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// The next piece, blocking; empty at the end. An error cuts the connection, so that the client sees a short body.
  virtual Result<std::string> next() = 0;
};

struct Response {
  int status = 200;
  net::Headers headers;  ///< Without Content-Length.
  std::string body;      ///< The whole body, unless `source` is set. Not sent in answer to HEAD.
  std::unique_ptr<BodySource> source;
  /// Content-Length where it is not body.size(): of `source` (absent: chunked), or of what a HEAD leaves out.
  std::optional<std::uint64_t> length;
};

using Handler = std::function<Response(const Request&)>;

/// An error in the distribution specification's JSON form ("Error Codes").
Response error_response(int status, const std::string& code, const std::string& message);

}  // namespace paceline::mirror
