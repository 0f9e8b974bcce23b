#include "tests/wan/link/pipe.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace paceline::wan {

Pipe::Pipe(const Settings& settings, double loss_pct, uint64_t seed)
    : ns_per_byte_(settings.ns_per_byte()),
      queue_limit_(settings.queue_bytes()),
      loss_(loss_pct / 100),
      one_way_(settings.one_way_ns()),
      random_(seed) {
  draw_next_loss();
}

void Pipe::set(const Settings& settings, double loss_pct, int64_t now) {
  const auto start = static_cast<double>(now);
  const double stretch = settings.ns_per_byte() / ns_per_byte_;
  const int64_t one_way = settings.one_way_ns();
  last_due_ = now;
  for (Piece& piece : way_) {
    if (piece.departed > now) {
      piece.departed = now + static_cast<int64_t>(static_cast<double>(piece.departed - now) * stretch);
      piece.due = std::max(piece.departed + one_way, last_due_);
    }
    last_due_ = std::max(last_due_, piece.due);
  }
  if (wire_free_ > start) wire_free_ = start + (wire_free_ - start) * stretch;
  ns_per_byte_ = settings.ns_per_byte();
  queue_limit_ = settings.queue_bytes();
  one_way_ = one_way;
  if (loss_ != loss_pct / 100) {
    loss_ = loss_pct / 100;
    draw_next_loss();
  }
}

void Pipe::draw_next_loss() {
  // The gap between two losses of independent segments; one number a loss instead of one a segment.
  if (loss_ <= 0) {
    until_loss_ = std::numeric_limits<uint64_t>::max();
  } else if (loss_ >= 1) {
    until_loss_ = 0;
  } else {
    until_loss_ = std::geometric_distribution<uint64_t>(loss_)(random_);
  }
}

bool Pipe::lose() {
  if (until_loss_ != 0) {
    --until_loss_;
    return false;
  }
  draw_next_loss();
  return true;
}

void Pipe::arrive(int64_t now, const PacketPtr& packet, uint32_t first, uint32_t count) {
  const auto arrival = static_cast<double>(now);
  uint32_t run = first;  // The survivors that have not been sent on yet: [run, i).
  double run_begin = std::max(wire_free_, arrival);
  for (uint32_t i = first; i < first + count; ++i) {
    const double bytes = packet->wire_bytes(i);
    const double queued = std::max(0.0, (wire_free_ - arrival) / ns_per_byte_);
    const bool lost = lose();
    if (lost || queued + bytes > queue_limit_) {
      ++(lost ? counters_.loss_drops : counters_.queue_drops);
      send(packet, run, i - run);
      run = i + 1;
      run_begin = std::max(wire_free_, arrival);
      continue;
    }
    const double end = std::max(wire_free_, arrival) + bytes * ns_per_byte_;
    if (i > run && end - run_begin > static_cast<double>(kPiece)) {
      send(packet, run, i - run);
      run = i;
      run_begin = std::max(wire_free_, arrival);
    }
    wire_free_ = end;
    counters_.peak_queue_bytes = std::max(counters_.peak_queue_bytes, queued + bytes);
  }
  send(packet, run, first + count - run);
}

void Pipe::send(const PacketPtr& packet, uint32_t first, uint32_t count) {
  if (count == 0) return;
  const auto departed = static_cast<int64_t>(wire_free_);
  last_due_ = std::max(last_due_, departed + one_way_);
  way_.push_back({packet, first, count, departed, last_due_});
}

Piece Pipe::pop() {
  Piece piece = std::move(way_.front());
  way_.pop_front();
  counters_.packets += piece.count;
  for (uint32_t i = piece.first; i < piece.first + piece.count; ++i) {
    counters_.bytes += piece.packet->ip_bytes(i);
  }
  return piece;
}

double Pipe::queued_bytes(int64_t now) const {
  return std::max(0.0, (wire_free_ - static_cast<double>(now)) / ns_per_byte_);
}

}  // namespace paceline::wan
