#include "tests/wan/link/flows.h"

#include <algorithm>
#include <utility>

#include "tests/wan/link/pipe.h"

namespace paceline::wan {
namespace {

/// How far a server may run ahead of the pacer: receivers acknowledge every second segment, so that eight keep it busy;
/// at high caps, as long as the arrival of an ACK varies.
constexpr double kLeastCreditBytes = 8 * 1448, kCreditSeconds = 0.004;

uint32_t waiting_size(const PacketPtr& packet, uint32_t from) {
  uint32_t bytes = 0;
  for (uint32_t i = from; i < packet->segments(); ++i) bytes += packet->wire_bytes(i);
  return bytes;
}

}  // namespace

double Flows::credit_bytes() const { return std::max(kLeastCreditBytes, cap_mbps_ * 1e6 / 8 * kCreditSeconds); }

void Flows::set_cap(double cap_mbps, int64_t now) {
  if (cap_mbps == cap_mbps_) return;
  cap_mbps_ = cap_mbps;
  turns_ = {};
  for (auto& [key, flow] : table_) {
    flow.may_send = now;
    flow.scheduled = !flow.waiting.empty();
    if (flow.scheduled) turns_.push({now, key});
  }
  if (cap_mbps_ == 0) advance(now);
}

void Flows::open(Flow& flow) {
  if (std::exchange(flow.open, true)) return;
  ++counters_.total;
  counters_.peak = std::max(counters_.peak, ++counters_.current);
}

void Flows::end(Flow& flow) {
  flow.over = true;
  if (std::exchange(flow.open, false)) --counters_.current;
}

void Flows::drop_waiting(Flow& flow) {
  for (const Waiting& waiting : flow.waiting) waiting_bytes_ -= waiting_size(waiting.packet, waiting.next);
  flow.waiting.clear();
}

void Flows::forget_if_done(Table::iterator flow) {
  const Flow& f = flow->second;
  if (f.over && f.waiting.empty() && !f.scheduled) table_.erase(flow);
}

void Flows::begin(const Packet& syn) {
  const auto [found, fresh] = table_.try_emplace(syn.key(true));
  Flow& flow = found->second;
  if (!fresh) {
    // A SYN sent again belongs to the connection that is there; one after the end begins a new one on the same ports.
    if (!flow.over && !flow.client_done && !flow.server_done) return;
    end(flow);
    drop_waiting(flow);
    const bool scheduled = flow.scheduled;
    flow = Flow{};
    flow.scheduled = scheduled;
  }
  flow.client_scale = syn.tcp()->window_scale;
}

void Flows::to_server(Packet& packet) {
  const TcpView* tcp = packet.tcp();
  if (tcp == nullptr) return;
  if (tcp->syn) {
    begin(packet);
    return;
  }
  const auto found = table_.find(packet.key(true));
  if (found == table_.end()) return;
  Flow& flow = found->second;
  if (tcp->fin) flow.client_done = true;
  if (tcp->rst) drop_waiting(flow);  // As a server's kernel forgets what it has not sent yet.
  if (tcp->rst || (flow.client_done && flow.server_done)) end(flow);
  if (cap_mbps_ > 0 && tcp->ack && !tcp->rst && flow.released) limit_window(packet, flow);
  forget_if_done(found);
}

void Flows::limit_window(Packet& ack, const Flow& flow) const {
  const int scale = flow.client_scale && flow.server_scale ? *flow.client_scale : 0;
  const auto unacknowledged = static_cast<int32_t>(*flow.released - ack.tcp()->acknowledgement);
  const int64_t granted = std::max(0, unacknowledged) + static_cast<int64_t>(credit_bytes());
  const int64_t window = std::max<int64_t>(1, granted >> scale);
  if (window < ack.window()) ack.set_window(static_cast<uint16_t>(window));
}

void Flows::from_server(int64_t now, const PacketPtr& packet) {
  const TcpView* tcp = packet->tcp();
  const auto found = tcp != nullptr ? table_.find(packet->key(false)) : table_.end();
  if (found == table_.end()) {
    release_(now, packet, 0, packet->segments());
    return;
  }
  Flow& flow = found->second;
  if (tcp->syn) {
    flow.server_scale = tcp->window_scale;
    open(flow);
  }
  if (tcp->fin) flow.server_done = true;
  if (tcp->rst || (flow.client_done && flow.server_done)) end(flow);
  if (cap_mbps_ == 0) {
    note_released(flow, packet->sequence_after(0, packet->segments()));
    release_(now, packet, 0, packet->segments());
  } else {
    waiting_bytes_ += waiting_size(packet, 0);
    flow.waiting.push_back({packet, 0});
    if (!flow.scheduled && flow.may_send <= now) {
      release_turn(now, found);
      return;  // `flow` may be gone.
    }
    if (!std::exchange(flow.scheduled, true)) turns_.push({flow.may_send, found->first});
  }
  forget_if_done(found);
}

void Flows::note_released(Flow& flow, uint32_t sequence) {
  if (!flow.released || static_cast<int32_t>(sequence - *flow.released) > 0) flow.released = sequence;
}

void Flows::release_piece(int64_t at, Flow& flow) {
  Waiting& head = flow.waiting.front();
  const uint32_t segments = head.packet->segments();
  double cost = 0;
  uint32_t count = 0;
  while (head.next + count < segments && (count == 0 || cost < static_cast<double>(Pipe::kPiece))) {
    const uint32_t bytes = head.packet->wire_bytes(head.next + count++);
    waiting_bytes_ -= bytes;
    if (cap_mbps_ > 0) cost += bytes * ns_per_byte();
  }
  note_released(flow, head.packet->sequence_after(head.next, count));
  release_(at, head.packet, head.next, count);
  head.next += count;
  if (head.next == segments) flow.waiting.pop_front();
  flow.may_send = std::max(flow.may_send, at) + static_cast<int64_t>(cost);
}

void Flows::release_turn(int64_t at, Table::iterator flow) {
  flow->second.scheduled = false;
  if (!flow->second.waiting.empty()) release_piece(at, flow->second);
  if (!flow->second.waiting.empty()) {
    flow->second.scheduled = true;
    turns_.push({flow->second.may_send, flow->first});
  }
  forget_if_done(flow);
}

std::optional<int64_t> Flows::next_release() const {
  if (turns_.empty()) return std::nullopt;
  return turns_.top().at;
}

void Flows::advance(int64_t now) {
  while (!turns_.empty() && turns_.top().at <= now) {
    const Turn turn = turns_.top();
    turns_.pop();
    if (const auto flow = table_.find(turn.key); flow != table_.end()) release_turn(turn.at, flow);
  }
}

}  // namespace paceline::wan
