#include "tests/wan/link/link.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

namespace paceline::wan {
namespace {

/// Reads of one device before the other one and what is due get their turn.
constexpr int kMostReads = 32;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Json {
 public:
  void number(const std::string& key, double value) {
    char text[64];
    std::snprintf(text, sizeof text, "%.12g", value);
    body_ += (body_.empty() ? "\"" : ", \"") + key + "\": " + text;
  }
  void number(const std::string& key, uint64_t value) { number(key, static_cast<double>(value)); }
  [[nodiscard]] std::string text() const { return "{" + body_ + "}"; }

 private:
  std::string body_;
};

void describe(const std::string& direction, const Pipe& pipe, int64_t now, Json& json) {
  const PipeCounters& c = pipe.counters();
  json.number(direction + "_packets", c.packets);
  json.number(direction + "_bytes", c.bytes);
  json.number(direction + "_queue_drops", c.queue_drops);
  json.number(direction + "_loss_drops", c.loss_drops);
  json.number(direction + "_queue_bytes", pipe.queued_bytes(now));
  json.number(direction + "_queue_peak_bytes", c.peak_queue_bytes);
  json.number(direction + "_queue_limit_bytes", pipe.queue_limit_bytes());
}

}  // namespace

Link::Link(Tun client, Tun server, const Settings& settings, uint64_t seed)
    : client_(std::move(client)),
      server_(std::move(server)),
      settings_(settings),
      down_(settings, settings.loss_pct, seed),
      up_(settings, settings.loss_up_pct, seed + 1),
      flows_(settings.cap_mbps, [this](int64_t at, const PacketPtr& packet, uint32_t first,
                                       uint32_t count) { down_.arrive(at, packet, first, count); }),
      buffer_(Tun::kReadBytes),
      since_(now()),
      cpu_since_(cpu_seconds()) {}

int64_t Link::now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int Link::take(Tun& from, bool from_client) {
  for (int i = 0; i < kMostReads; ++i) {
    const std::span<const uint8_t> bytes = from.read(buffer_);
    if (bytes.empty()) return i;
    const PacketPtr packet = Packet::parse(bytes);
    if (packet == nullptr) {
      ++unknown_packets_;
      continue;
    }
    const int64_t arrival = now();
    if (from_client) {
      up_.arrive(arrival, packet, 0, packet->segments());
    } else {
      flows_.advance(arrival);  // So that the bottleneck sees arrivals in order.
      flows_.from_server(arrival, packet);
    }
  }
  return kMostReads;
}

int Link::deliver(Pipe& pipe, Tun& to, bool to_server) {
  Packet::Slice slice;
  int64_t time = now();
  int pieces = 0;
  while (!pipe.empty() && pipe.next_due() <= time) {
    const Piece piece = pipe.pop();
    if (to_server) flows_.to_server(*piece.packet);
    piece.packet->slice(piece.first, piece.count, slice);
    lateness_.add(time - piece.due);
    if (!to.write(slice)) ++write_failures_;
    time = now();
    ++pieces;
  }
  return pieces;
}

bool Link::work() {
  bool any = false, more = true;
  while (more) {
    flows_.advance(now());
    // A delivery runs the receiver's TCP in this very call, and what it answers can be taken at once.
    int moved = deliver(down_, client_, false);
    const int from_client = take(client_, true);
    moved += deliver(up_, server_, true);
    const int from_server = take(server_, false);
    any = any || moved + from_client + from_server > 0;
    more = from_client == kMostReads || from_server == kMostReads;
  }
  return any;
}

std::optional<int64_t> Link::next_event() const {
  std::optional<int64_t> next = flows_.next_release();
  for (const Pipe* pipe : {&down_, &up_}) {
    if (!pipe->empty()) next = std::min(next.value_or(pipe->next_due()), pipe->next_due());
  }
  return next;
}

void Link::set(const Settings& settings) {
  settings_ = settings;
  const int64_t time = now();
  down_.set(settings, settings.loss_pct, time);
  up_.set(settings, settings.loss_up_pct, time);
  flows_.set_cap(settings.cap_mbps, time);
}

std::string Link::stats() const {
  const int64_t time = now();
  Json json;
  json.number("seconds", static_cast<double>(time - since_) / 1e9);
  json.number("cpu_seconds", cpu_seconds() - cpu_since_);
  describe("down", down_, time, json);
  describe("up", up_, time, json);
  json.number("connections", flows_.counters().current);
  json.number("connections_max", flows_.counters().peak);
  json.number("connections_total", flows_.counters().total);
  json.number("pacer_bytes", flows_.waiting_bytes());
  json.number("lateness_p50_us", lateness_.percentile_us(0.5));
  json.number("lateness_p99_us", lateness_.percentile_us(0.99));
  json.number("lateness_max_us", lateness_.most_us());
  json.number("unknown_packets", unknown_packets_);
  json.number("write_failures", write_failures_);
  json.number("tun_drops", kernel_drops() - kernel_drops_since_);
  return json.text();
}

void Link::reset_stats() {
  down_.reset_counters();
  up_.reset_counters();
  flows_.reset_counters();
  lateness_ = {};
  unknown_packets_ = write_failures_ = 0;
  kernel_drops_since_ = kernel_drops();
  since_ = now();
  cpu_since_ = cpu_seconds();
}

}  // namespace paceline::wan
