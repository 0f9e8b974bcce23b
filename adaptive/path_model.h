// How fast a pull can be at all, and how fast it should be with a fixed number of streams. Sources beside each formula.
// Pure functions of values; any thread.
#pragma once

#include <cstdint>

#include "adaptive/time.h"

namespace paceline::adaptive {

/// 1448 payload bytes in 1538 on the wire: Ethernet (1500 MTU + 38 framing, preamble, gap), IPv4 20, TCP 20 + 12
/// timestamps.
inline constexpr double kWireEfficiency = 1448.0 / 1538.0;
/// Initial window: 10 segments (RFC 6928).
inline constexpr double kInitialWindow = 10 * 1448.0;

/// What is already there and costs nothing.
struct Warm {
  bool dns = false;
  bool registry_connection = false;
  bool token = false;
  bool manifests = false;  ///< Index and manifest are known (a layer-only pull).
  bool blob_connections = false;
};

struct Path {
  double link_rate = 0;  ///< Bytes per second on the wire; 0 = no limit.
  Duration rtt_registry{0};
  Duration rtt_token{0};
  Duration rtt_blob{0};
  Duration dns{0};
  Duration think_registry{0};  ///< Server time a request.
  Duration think_token{0};
  Duration first_byte{0};     ///< Blob host: request to first byte, without the RTT.
  double connection_cap = 0;  ///< Bytes per second of one connection; 0 = none.
  double loss = 0;            ///< Random loss, 0…1.
  bool needs_token = true;
  bool index = true;      ///< An index and a manifest, else a manifest only.
  bool redirect = false;  ///< Blobs live on another host.
  Warm warm;
};

/// Bytes / (link rate · 1448/1538): nothing is faster.
[[nodiscard]] Duration wire_floor(const Path& path, std::uint64_t bytes);
/// Everything before the first body byte: DNS, TCP + TLS, token, manifests, redirect, blob connection.
[[nodiscard]] Duration setup_time(const Path& path);
/// The body bytes over n streams on a clean path: slow start, then the full rate or n · cap.
[[nodiscard]] Duration data_time(const Path& path, std::uint64_t bytes, unsigned streams);
/// setup_time + data_time at max_streams: the physical lower bound of the pull.
[[nodiscard]] Duration lower_bound(const Path& path, std::uint64_t bytes, unsigned max_streams);
/// setup_time + the body at a fixed n with what random loss leaves of each stream.
[[nodiscard]] Duration predicted_time(const Path& path, std::uint64_t bytes, unsigned streams);

/// Steady rate of one TCP stream under random loss, bytes per second.
[[nodiscard]] double loss_limited_rate(Duration rtt, double loss);
/// The part of a shallow-buffered link that n TCP flows fill: 1 − 1/(1 + 3n).
[[nodiscard]] double shallow_buffer_utilisation(unsigned streams);

}  // namespace paceline::adaptive
