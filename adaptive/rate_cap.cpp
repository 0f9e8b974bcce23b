#include "adaptive/rate_cap.h"

#include <algorithm>

namespace paceline::adaptive {
namespace {

double burst_of(std::uint64_t rate) { return std::max(65536.0, 0.1 * static_cast<double>(rate)); }

}  // namespace

RateCap::RateCap(std::uint64_t bytes_per_second)
    : rate_(bytes_per_second), burst_(burst_of(bytes_per_second)), tokens_(burst_) {}

double RateCap::tokens_at(Time now) const {
  if (!started_ || now <= at_) return tokens_;
  return std::min(burst_, tokens_ + static_cast<double>(rate_) * seconds(now - at_));
}

void RateCap::set_rate(std::uint64_t bytes_per_second, Time now) {
  // A debt at the old rate would be a long silence at a much lower one, and without a cap there is none.
  const double tokens = rate_ == 0 ? 0 : tokens_at(now);
  const double seconds_left = rate_ == 0 ? 0 : tokens / static_cast<double>(rate_);
  rate_ = bytes_per_second;
  burst_ = burst_of(rate_);
  tokens_ = std::min(burst_, seconds_left * static_cast<double>(rate_));
  at_ = now;
  started_ = true;
}

void RateCap::take(std::uint64_t bytes, Time now) {
  if (unlimited()) return;
  tokens_ = tokens_at(now) - static_cast<double>(bytes);
  at_ = now;
  started_ = true;
}

Duration RateCap::wait(Time now) const {
  if (unlimited()) return Duration{0};
  const double tokens = tokens_at(now);
  return tokens >= 0 ? Duration{0} : from_seconds(-tokens / static_cast<double>(rate_));
}

}  // namespace paceline::adaptive
