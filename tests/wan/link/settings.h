// What the link is like; changeable in mid-run. A plain value, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace paceline::wan {

struct Settings {
  double rate_mbps = 0;    // Of the wire, both ways, framing included.
  double rtt_ms = 0;       // Half of it each way.
  double loss_pct = 0;     // Server to client, independent per segment.
  double loss_up_pct = 0;  // Client to server.
  double cap_mbps = 0;     // Of each TCP connection, server to client; 0: none.
  double queue_kb = 0;     // Drop-tail, each way, in 1000 bytes of wire; 0: default_queue_bytes().

  /// One bandwidth-delay product, so that the one sender that fills it keeps the link busy while it recovers from the
  /// loss (cubic goes down to 0.7, Reno to 0.5); at least 50 full packets, below which ten initial windows collide in
  /// a queue that no router has.
  [[nodiscard]] double default_queue_bytes() const;
  [[nodiscard]] double queue_bytes() const { return queue_kb > 0 ? queue_kb * 1000 : default_queue_bytes(); }
  [[nodiscard]] double ns_per_byte() const { return 8000.0 / rate_mbps; }
  [[nodiscard]] int64_t one_way_ns() const { return static_cast<int64_t>(rtt_ms * 1e6 / 2); }
};

/// Applies "key=value key=value ..." to `settings`. Returns what is wrong, and then has changed nothing.
[[nodiscard]] std::optional<std::string> update(std::string_view words, Settings& settings);

}  // namespace paceline::wan
