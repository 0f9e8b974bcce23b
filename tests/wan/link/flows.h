// The TCP connections across the link: how many there are, and the rate cap of each.
//
// The cap is a pacer at the server, as a registry or CDN that throttles connections has one (nginx's limit_rate,
// SO_MAX_PACING_RATE): what it delays is not lost, and the server does not run ahead of it. Down segments wait here,
// before the shared bottleneck; the window that ACKs grant the server is cut to what the pacer has released plus a
// little, so that neither the sender's round-trip time nor its congestion window grows with a queue that a paced
// server does not have, and a retransmission waits for milliseconds only. Times are handed in (ns). One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <unordered_map>
#include <vector>

#include "tests/wan/link/packet.h"

namespace paceline::wan {

struct FlowCounters {
  uint64_t current = 0, peak = 0, total = 0;
};

class Flows {
 public:
  using Release = std::function<void(int64_t now, const PacketPtr&, uint32_t first, uint32_t count)>;

  /// `release` takes down segments when the cap lets them go.
  Flows(double cap_mbps, Release release) : cap_mbps_(cap_mbps), release_(std::move(release)) {}

  /// What waits leaves at the new rate; 0 lets it all go.
  void set_cap(double cap_mbps, int64_t now);

  void from_server(int64_t now, const PacketPtr& packet);
  /// Just before a client's packet reaches the server: connections begin and end where the server sees it.
  void to_server(Packet& packet);

  /// When a capped connection may send next.
  [[nodiscard]] std::optional<int64_t> next_release() const;
  /// Releases all that is due.
  void advance(int64_t now);

  [[nodiscard]] const FlowCounters& counters() const { return counters_; }
  [[nodiscard]] uint64_t waiting_bytes() const { return waiting_bytes_; }
  void reset_counters() { counters_.total = counters_.peak = counters_.current; }

 private:
  struct Waiting {
    PacketPtr packet;
    uint32_t next = 0;  // Segment.
  };
  struct Flow {
    bool open = false, over = false;  // Accepted by the server; ended by both, or by a reset.
    bool client_done = false, server_done = false;
    std::optional<uint8_t> client_scale, server_scale;
    std::optional<uint32_t> released;  // The sequence number up to which the pacer has let data go.
    int64_t may_send = 0;
    bool scheduled = false;
    std::deque<Waiting> waiting;
  };
  using Table = std::unordered_map<FlowKey, Flow, FlowKeyHash>;
  struct Turn {
    int64_t at;
    FlowKey key;
    bool operator>(const Turn& other) const { return at > other.at; }
  };

  [[nodiscard]] double ns_per_byte() const { return 8000.0 / cap_mbps_; }
  [[nodiscard]] double credit_bytes() const;
  void begin(const Packet& syn);
  void open(Flow& flow);
  void end(Flow& flow);
  void forget_if_done(Table::iterator flow);
  void drop_waiting(Flow& flow);
  void limit_window(Packet& ack, const Flow& flow) const;
  void release_turn(int64_t at, Table::iterator flow);
  void release_piece(int64_t at, Flow& flow);
  static void note_released(Flow& flow, uint32_t sequence);

  double cap_mbps_;
  Release release_;
  Table table_;
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns_;
  uint64_t waiting_bytes_ = 0;
  FlowCounters counters_;
};

}  // namespace paceline::wan
