// One IPv4 packet as a TUN device hands it over: possibly a super-packet of many TCP segments ("GSO"), which
// is one read and one write here but n segments on the emulated wire. Owned by one thread.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace paceline::wan {

/// Ethernet around each IP packet: header 14, checksum 4, preamble 8, gap 12.
inline constexpr uint32_t kFramingBytes = 38;
/// A full packet on the wire: 1448 bytes of payload with TCP timestamps.
inline constexpr uint32_t kFullWireBytes = 1538;
inline constexpr uint32_t kMostHeaderBytes = 60 + 60;  // IPv4 and TCP with all options.

/// What a TUN device with IFF_VNET_HDR puts before a packet. As virtio_net_hdr of <linux/virtio_net.h>, which C++
/// cannot include (a member is called `class`).
struct VnetHeader {
  static constexpr uint8_t kPartialChecksum = 1;               // flags
  static constexpr uint8_t kNone = 0, kTcp4 = 1, kEcn = 0x80;  // gso_type
  uint8_t flags, gso_type;
  uint16_t header_bytes, gso_size, checksum_start, checksum_offset;
};
static_assert(sizeof(VnetHeader) == 10);

struct FlowKey {  // Host byte order; "client" is the end that lives in the client's namespace.
  uint32_t client_ip = 0, server_ip = 0;
  uint16_t client_port = 0, server_port = 0;
  bool operator==(const FlowKey&) const = default;
};

struct FlowKeyHash {
  size_t operator()(const FlowKey& key) const;
};

/// What the TCP header says. Options are read from SYNs only.
struct TcpView {
  uint16_t source_port, destination_port;
  uint32_t sequence, acknowledgement;
  bool syn, ack, fin, rst;
  std::optional<uint8_t> window_scale;
};

class Packet {
 public:
  /// Copies one read: VnetHeader and IP packet. Null for what is not a sane IPv4 packet.
  static std::shared_ptr<Packet> parse(std::span<const uint8_t> read);

  [[nodiscard]] uint32_t segments() const { return segments_; }
  [[nodiscard]] uint32_t ip_bytes(uint32_t segment) const;
  [[nodiscard]] uint32_t wire_bytes(uint32_t segment) const;
  [[nodiscard]] uint32_t payload_bytes() const { return payload_bytes_; }
  /// Null when this is not TCP.
  [[nodiscard]] const TcpView* tcp() const { return tcp_ ? &*tcp_ : nullptr; }
  [[nodiscard]] FlowKey key(bool from_client) const;

  /// The TCP sequence number that follows the segments [first, first + count).
  [[nodiscard]] uint32_t sequence_after(uint32_t first, uint32_t count) const;
  /// The window field, unscaled.
  [[nodiscard]] uint16_t window() const;
  void set_window(uint16_t window);

  /// Headers of segments [first, first + count), which `slices` points to together with their payload.
  struct Slice {
    VnetHeader vnet;
    std::array<uint8_t, kMostHeaderBytes> header;
    std::array<iovec, 3> slices;
  };
  void slice(uint32_t first, uint32_t count, Slice& out) const;

 private:
  Packet() = default;
  [[nodiscard]] uint32_t payload_offset(uint32_t segment) const;
  [[nodiscard]] bool partial_checksum() const { return (vnet_.flags & VnetHeader::kPartialChecksum) != 0; }

  VnetHeader vnet_{};
  std::unique_ptr<uint8_t[]> data_;
  uint32_t size_ = 0, ip_header_ = 0, header_bytes_ = 0, payload_bytes_ = 0, segments_ = 1, segment_payload_ = 0;
  std::optional<TcpView> tcp_;
};

using PacketPtr = std::shared_ptr<Packet>;

}  // namespace paceline::wan
