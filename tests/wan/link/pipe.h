// One direction of the link: random loss, then a drop-tail queue in front of a wire of a given rate, then propagation.
// Arithmetic only: times are handed in (ns), packets handed back when they are due. One thread.
//
// Segments are counted one by one as on the wire; those of one super-packet that survive together leave together,
// in pieces of at most kPiece worth of wire time, so that a piece costs one write.
#pragma once

#include <cstdint>
#include <deque>
#include <random>

#include "tests/wan/link/packet.h"
#include "tests/wan/link/settings.h"

namespace paceline::wan {

struct PipeCounters {
  uint64_t packets = 0, bytes = 0;  // Delivered: segments, and their bytes from the IP header on.
  uint64_t queue_drops = 0, loss_drops = 0;
  double peak_queue_bytes = 0;  // Of wire.
};

struct Piece {
  PacketPtr packet;
  uint32_t first = 0, count = 0;
  int64_t departed = 0;  // The last bit left the queue's wire.
  int64_t due = 0;       // The last bit arrives at the far end.
};

class Pipe {
 public:
  /// A receiver's network card gathers for about as long (interrupt moderation), and 2000 writes a second are cheap.
  static constexpr int64_t kPiece = 500'000;

  Pipe(const Settings& settings, double loss_pct, uint64_t seed);

  /// New parameters from now on. What waits in the queue leaves at the new rate; what is on its way is not recalled.
  void set(const Settings& settings, double loss_pct, int64_t now);

  /// Segments [first, first + count) of `packet` come to the queue. `now` never goes back.
  void arrive(int64_t now, const PacketPtr& packet, uint32_t first, uint32_t count);

  [[nodiscard]] bool empty() const { return way_.empty(); }
  /// When the next piece is due; only if not empty.
  [[nodiscard]] int64_t next_due() const { return way_.front().due; }
  Piece pop();

  [[nodiscard]] double queued_bytes(int64_t now) const;
  [[nodiscard]] double queue_limit_bytes() const { return queue_limit_; }
  [[nodiscard]] const PipeCounters& counters() const { return counters_; }
  void reset_counters() { counters_ = {}; }

 private:
  bool lose();
  void draw_next_loss();
  void send(const PacketPtr& packet, uint32_t first, uint32_t count);

  double ns_per_byte_, queue_limit_, loss_;
  int64_t one_way_;
  double wire_free_ = 0;  // When the wire has sent all that is queued; fractions of ns keep odd rates exact.
  int64_t last_due_ = 0;
  std::mt19937_64 random_;
  uint64_t until_loss_ = 0;  // Segments that pass before the next one is lost.
  std::deque<Piece> way_;    // Queued and in flight, in order.
  PipeCounters counters_;
};

}  // namespace paceline::wan
