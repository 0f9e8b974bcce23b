// A TUN device in a network namespace: what the namespace sends is read here, what is written here it receives.
// The device lives as long as this object. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "plugin/base/fd.h"
#include "tests/wan/link/packet.h"

namespace paceline::wan {

class Tun {
 public:
  /// Room for the largest super-packet.
  static constexpr size_t kReadBytes = sizeof(VnetHeader) + 65536;

  /// `netns`: a path such as /run/netns/NAME. Throws std::system_error that says what is missing.
  Tun(const std::string& netns, const std::string& device);

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// One packet with its VnetHeader; empty when there is none now.
  std::span<const uint8_t> read(std::span<uint8_t> buffer);
  /// Packets the kernel has dropped at this device, such as those of a burst that found its own queue full.
  [[nodiscard]] uint64_t kernel_drops() const;
  /// False when the namespace does not take it (device down).
  bool write(const Packet::Slice& slice);

 private:
  std::string device_;
  UniqueFd fd_;
  UniqueFd counters_;  // The namespace's /proc/net/dev.
};

}  // namespace paceline::wan
