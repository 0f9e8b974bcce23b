// How long a host wants to hear nothing: Retry-After of a 429/503, or a short pause where it names none. Requests that
// run are not touched; no new one starts before until(). A plain value, one thread at a time.
#pragma once

#include "adaptive/time.h"

namespace paceline::adaptive {

class HostSilence {
 public:
  /// A 429/503 came at `now`. `retry_after` 0 = not named: 1 s, doubled with each further throttle that no success
  /// interrupts, up to 32 s. A named one is believed up to five minutes: a host must not stop a node for a day.
  void throttled(Time now, Duration retry_after);
  /// A request succeeded: the next nameless pause is short again.
  void succeeded() { in_a_row_ = 0; }

  [[nodiscard]] Time until() const { return until_; }
  [[nodiscard]] bool silent(Time now) const { return now < until_; }
  /// 0 when not silent.
  [[nodiscard]] Duration left(Time now) const { return silent(now) ? until_ - now : Duration{0}; }

 private:
  Time until_ = Time::min();
  unsigned in_a_row_ = 0;
};

}  // namespace paceline::adaptive
