// Puts a response's head together from the lines libcurl hands over. Interim answers (1xx) are skipped, so that what
// comes out is the final head; trailers after it are ignored. Value, one thread.
#pragma once

#include <string_view>

#include "plugin/base/result.h"
#include "plugin/net/http.h"

namespace paceline::net {

class HeadParser {
 public:
  /// One line with its line end. True: the final head is complete, and head() may be read.
  Result<bool> line(std::string_view text);
  [[nodiscard]] bool complete() const { return complete_; }
  [[nodiscard]] const ResponseHead& head() const { return head_; }

 private:
  Status field(std::string_view text);

  ResponseHead head_;
  std::size_t bytes_ = 0;
  bool expects_status_ = true;
  bool complete_ = false;
};

}  // namespace paceline::net
