#include "tests/wan/link/packet.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace paceline::wan {
namespace {

constexpr uint32_t kIpId = 4, kIpLength = 2, kIpProtocol = 9, kIpChecksum = 10, kIpSource = 12, kIpDestination = 16;
constexpr uint32_t kTcpSequence = 4, kTcpAck = 8, kTcpOffset = 12, kTcpFlags = 13, kTcpWindow = 14, kTcpChecksum = 16;
constexpr uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10, kCwr = 0x80;
constexpr uint32_t kLeastWireBytes = 84;  // An Ethernet frame of 64 bytes, with preamble and gap.

uint16_t get16(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }
uint32_t get32(const uint8_t* at) { return static_cast<uint32_t>(get16(at)) << 16 | get16(at + 2); }
void put16(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}
void put32(uint8_t* at, uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value);
}

uint16_t fold(uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

void put_ip_checksum(uint8_t* ip, uint32_t bytes) {
  put16(ip + kIpChecksum, 0);
  uint32_t sum = 0;
  for (uint32_t i = 0; i < bytes; i += 2) sum += get16(ip + i);
  put16(ip + kIpChecksum, static_cast<uint16_t>(~fold(sum)));
}

std::optional<uint8_t> find_window_scale(std::span<const uint8_t> options) {
  for (size_t i = 0; i < options.size();) {
    if (options[i] == 0) break;
    if (options[i] == 1) {
      ++i;
      continue;
    }
    if (i + 1 >= options.size() || options[i + 1] < 2) break;
    if (options[i] == 3 && options[i + 1] == 3 && i + 2 < options.size()) return std::min<uint8_t>(options[i + 2], 14);
    i += options[i + 1];
  }
  return std::nullopt;
}

}  // namespace

size_t FlowKeyHash::operator()(const FlowKey& key) const {
  const uint64_t ips = static_cast<uint64_t>(key.client_ip) << 32 | key.server_ip;
  const uint64_t ports = static_cast<uint64_t>(key.client_port) << 16 | key.server_port;
  return std::hash<uint64_t>()(ips * 0x9e3779b97f4a7c15U ^ ports * 0xff51afd7ed558ccdU);
}

std::shared_ptr<Packet> Packet::parse(std::span<const uint8_t> read) {
  VnetHeader vnet;
  if (read.size() < sizeof vnet + 20) return nullptr;
  std::memcpy(&vnet, read.data(), sizeof vnet);
  const std::span<const uint8_t> ip = read.subspan(sizeof vnet);
  const uint32_t ip_header = (ip[0] & 0x0fU) * 4;
  if (ip[0] >> 4 != 4 || ip_header < 20 || ip_header > ip.size()) return nullptr;

  std::shared_ptr<Packet> packet(new Packet);
  packet->vnet_ = vnet;
  packet->size_ = static_cast<uint32_t>(ip.size());
  packet->ip_header_ = packet->header_bytes_ = ip_header;
  const bool fragment = (get16(&ip[6]) & 0x1fffU) != 0;
  if (ip[kIpProtocol] == IPPROTO_TCP && !fragment && ip.size() >= ip_header + 20) {
    const uint8_t* tcp = &ip[ip_header];
    const uint32_t tcp_header = (tcp[kTcpOffset] >> 4U) * 4U;
    if (tcp_header < 20 || ip_header + tcp_header > ip.size()) return nullptr;
    packet->header_bytes_ += tcp_header;
    const uint8_t flags = tcp[kTcpFlags];
    packet->tcp_ = TcpView{get16(tcp),           get16(tcp + 2),      get32(tcp + kTcpSequence),
                           get32(tcp + kTcpAck), (flags & kSyn) != 0, (flags & kAck) != 0,
                           (flags & kFin) != 0,  (flags & kRst) != 0, std::optional<uint8_t>()};
    if (packet->tcp_->syn) packet->tcp_->window_scale = find_window_scale(ip.subspan(ip_header + 20, tcp_header - 20));
  }
  packet->payload_bytes_ = packet->size_ - packet->header_bytes_;
  packet->segment_payload_ = packet->payload_bytes_;
  if (vnet.gso_type != VnetHeader::kNone) {
    const bool tcp4 = (vnet.gso_type & ~VnetHeader::kEcn) == VnetHeader::kTcp4;
    if (!tcp4 || !packet->tcp_ || vnet.gso_size == 0) return nullptr;
    packet->segment_payload_ = vnet.gso_size;
    packet->segments_ = std::max(1U, (packet->payload_bytes_ + vnet.gso_size - 1) / vnet.gso_size);
  }
  packet->data_ = std::make_unique_for_overwrite<uint8_t[]>(ip.size());
  std::memcpy(packet->data_.get(), ip.data(), ip.size());
  return packet;
}

uint32_t Packet::payload_offset(uint32_t segment) const { return std::min(segment * segment_payload_, payload_bytes_); }

uint32_t Packet::ip_bytes(uint32_t segment) const {
  return header_bytes_ + payload_offset(segment + 1) - payload_offset(segment);
}

uint32_t Packet::wire_bytes(uint32_t segment) const {
  return std::max(kLeastWireBytes, ip_bytes(segment) + kFramingBytes);
}

FlowKey Packet::key(bool from_client) const {
  const uint32_t source = get32(&data_[kIpSource]), destination = get32(&data_[kIpDestination]);
  if (from_client) return {source, destination, tcp_->source_port, tcp_->destination_port};
  return {destination, source, tcp_->destination_port, tcp_->source_port};
}

uint32_t Packet::sequence_after(uint32_t first, uint32_t count) const {
  const bool last = first + count == segments_;
  return tcp_->sequence + payload_offset(first + count) + (tcp_->syn ? 1 : 0) + (last && tcp_->fin ? 1 : 0);
}

uint16_t Packet::window() const { return get16(&data_[ip_header_ + kTcpWindow]); }

void Packet::set_window(uint16_t window) {
  uint8_t* tcp = &data_[ip_header_];
  // A partial checksum covers the pseudo-header only; a full one is corrected by the difference (RFC 1624).
  if (!partial_checksum()) {
    const uint32_t before = get16(tcp + kTcpWindow), sum = get16(tcp + kTcpChecksum);
    put16(tcp + kTcpChecksum, static_cast<uint16_t>(~fold((~sum & 0xffff) + (~before & 0xffff) + window)));
  }
  put16(tcp + kTcpWindow, window);
}

void Packet::slice(uint32_t first, uint32_t count, Slice& out) const {
  const uint32_t begin = payload_offset(first), end = payload_offset(first + count);
  out.vnet = vnet_;
  std::memcpy(out.header.data(), data_.get(), header_bytes_);
  if (segments_ > 1) {
    uint8_t* ip = out.header.data();
    uint8_t* tcp = ip + ip_header_;
    const bool last = first + count == segments_;
    if (count == 1) {
      out.vnet.gso_type = VnetHeader::kNone;
      out.vnet.gso_size = 0;
    }
    out.vnet.header_bytes = static_cast<uint16_t>(header_bytes_);
    if (first != 0 || !last) {
      const uint32_t old_length = size_ - ip_header_, length = header_bytes_ - ip_header_ + end - begin;
      put16(ip + kIpLength, header_bytes_ + end - begin);
      put16(ip + kIpId, get16(ip + kIpId) + first);
      put_ip_checksum(ip, ip_header_);
      put32(tcp + kTcpSequence, tcp_->sequence + begin);
      if (!last) tcp[kTcpFlags] &= static_cast<uint8_t>(~(kFin | kPsh));
      if (first != 0) tcp[kTcpFlags] &= static_cast<uint8_t>(~kCwr);
      // A super-packet's checksum is always partial: the sum over the pseudo-header, which contains the length.
      put16(tcp + kTcpChecksum, fold(get16(tcp + kTcpChecksum) + (~old_length & 0xffff) + length));
    }
  }
  out.slices[0] = {&out.vnet, sizeof out.vnet};
  out.slices[1] = {out.header.data(), header_bytes_};
  out.slices[2] = {&data_[header_bytes_ + begin], end - begin};
}

}  // namespace paceline::wan
