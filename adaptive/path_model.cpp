#include "adaptive/path_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace paceline::adaptive {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kPayload = 1448;  // bytes a segment

double or_infinite(double rate) {
  if (rate > 0) return rate;
  return kInfinite;
}

/// Slow start of n streams up to `rate`, then `rate`. Rounds double from the initial window (RFC 5681, IW RFC 6928):
/// after k rounds n·IW·(2^k − 1) bytes are there. Large first windows (n·IW > rate·RTT) are still sent at `rate`.
double fill_time(double bytes, double streams, double rate, double rtt) {
  if (bytes <= 0) return 0;
  const double window = streams * kInitialWindow;
  const double rounds = rtt > 0 ? std::ceil(std::log2(1 + rate * rtt / window)) : 0;  // infinite rate: never full
  const double ramped = window * (std::exp2(rounds) - 1);
  const double at_rate = bytes / rate;
  if (rtt > 0 && bytes <= ramped) return std::max(at_rate, rtt * std::ceil(std::log2(1 + bytes / window)));
  return std::max(at_rate, rounds * rtt + (bytes - ramped) / rate);
}

double data_seconds(const Path& path, double bytes, unsigned streams, double stream_rate) {
  const double n = std::max(1U, streams);
  const double link = or_infinite(path.link_rate) * kWireEfficiency;
  const double capped = bytes / (n * or_infinite(stream_rate));
  const double rtt = seconds(path.rtt_blob);
  return std::max(capped, fill_time(bytes, n, std::min(link, n * or_infinite(stream_rate)), rtt));
}

}  // namespace

Duration wire_floor(const Path& path, std::uint64_t bytes) {
  return from_seconds(static_cast<double>(bytes) / (or_infinite(path.link_rate) * kWireEfficiency));
}

Duration setup_time(const Path& path) {
  const Duration request = path.rtt_registry + path.think_registry;
  Duration t{0};
  if (!path.warm.dns) t += path.dns;
  if (!path.warm.registry_connection) t += 2 * path.rtt_registry;  // TCP (RFC 9293) + TLS 1.3 (RFC 8446): one RTT each
  if (!path.warm.manifests) {
    t += request;  // resolves the tag, or is answered 401
    if (path.needs_token && !path.warm.token) t += 3 * path.rtt_token + path.think_token;
    t += path.index ? 2 * request : request;
  }
  if (path.redirect) t += request;
  t += path.warm.blob_connections ? path.rtt_blob : 3 * path.rtt_blob;
  return t + path.first_byte;
}

Duration data_time(const Path& path, std::uint64_t bytes, unsigned streams) {
  return from_seconds(data_seconds(path, static_cast<double>(bytes), streams, path.connection_cap));
}

Duration lower_bound(const Path& path, std::uint64_t bytes, unsigned max_streams) {
  return setup_time(path) + data_time(path, bytes, max_streams);
}

Duration predicted_time(const Path& path, std::uint64_t bytes, unsigned streams) {
  const double rate = std::min(or_infinite(path.connection_cap), loss_limited_rate(path.rtt_blob, path.loss));
  return setup_time(path) +
         from_seconds(data_seconds(path, static_cast<double>(bytes), streams, std::isinf(rate) ? 0 : rate));
}

// Mathis, Semke, Mahdavi, Ott: "The Macroscopic Behavior of the TCP Congestion Avoidance Algorithm", CCR 27(3), 1997:
// MSS/RTT · sqrt(3/2) / sqrt(p), for Reno without delayed acknowledgements. Cubic is faster on long fat paths.
double loss_limited_rate(Duration rtt, double loss) {
  if (loss <= 0 || rtt <= Duration{0}) return kInfinite;
  return kPayload / seconds(rtt) * std::sqrt(1.5 / std::min(1.0, loss));
}

// Altman, Barman, Tuffin, Vojnović: "Parallel TCP Sockets: Simple Model, Throughput and Validation", INFOCOM 2006.
double shallow_buffer_utilisation(unsigned streams) { return 1 - 1 / (1 + 3.0 * streams); }

}  // namespace paceline::adaptive
