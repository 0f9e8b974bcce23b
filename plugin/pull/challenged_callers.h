// Remembers when a caller of the mirror was first refused for want of a token: its cold start began there, and what
// passes until it comes back with one is the token's time. Any thread; one mutex inside, held for memory only.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "plugin/base/clock.h"

namespace paceline::pull {

class ChallengedCallers {
 public:
  struct Wait {
    TimePoint began;     ///< Its first request came.
    TimePoint answered;  ///< … and was refused.
  };
  void refused(const std::string& repository, TimePoint began, TimePoint answered);
  /// The caller that comes at `now`; forgets it.
  std::optional<Wait> returned(const std::string& repository, TimePoint now);

 private:
  std::mutex mutex_;
  std::map<std::string, Wait> waits_;
};

}  // namespace paceline::pull
