#include "adaptive/observation_trace.h"

#include <array>
#include <charconv>
#include <cstdint>

namespace paceline::adaptive {
namespace {

using Numbers = std::array<std::int64_t, 13>;

std::int64_t microseconds(Duration d) { return std::chrono::duration_cast<std::chrono::microseconds>(d).count(); }

Numbers numbers_of(const Observation& o) {
  const auto count = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  return {microseconds(o.now),   count(o.bytes),     microseconds(o.rtt_base),    microseconds(o.rtt_now),
          count(o.out_of_order), count(o.segments),  microseconds(o.first_byte),  count(o.remaining),
          o.tail ? 1 : 0,        count(o.throttled), microseconds(o.retry_after), o.active,
          o.delivering};
}

}  // namespace

std::string to_line(const Observation& observation) {
  std::string line;
  for (const std::int64_t number : numbers_of(observation)) {
    if (!line.empty()) line += ',';
    line += std::to_string(number);
  }
  return line;
}

std::optional<Observation> from_line(std::string_view line) {
  Numbers n{};
  const char* at = line.data();
  const char* const end = at + line.size();
  for (std::size_t i = 0; i < n.size(); ++i) {
    if (i > 0 && (at == end || *at++ != ',')) return std::nullopt;
    const auto [next, error] = std::from_chars(at, end, n[i]);
    if (error != std::errc() || n[i] < 0) return std::nullopt;
    at = next;
  }
  if (at != end) return std::nullopt;
  using std::chrono::microseconds;
  const auto count = [&](std::size_t i) { return static_cast<std::uint64_t>(n[i]); };
  return Observation{.now = microseconds(n[0]),
                     .bytes = count(1),
                     .rtt_base = microseconds(n[2]),
                     .rtt_now = microseconds(n[3]),
                     .out_of_order = count(4),
                     .segments = count(5),
                     .first_byte = microseconds(n[6]),
                     .remaining = count(7),
                     .tail = n[8] != 0,
                     .throttled = count(9),
                     .retry_after = microseconds(n[10]),
                     .active = static_cast<unsigned>(n[11]),
                     .delivering = static_cast<unsigned>(n[12])};
}

}  // namespace paceline::adaptive
