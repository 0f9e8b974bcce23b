#include "tests/wan/link/tun.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

namespace paceline::wan {
namespace {

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

}  // namespace

Tun::Tun(const std::string& netns, const std::string& device) : device_(device) {
  const UniqueFd space(::open(netns.c_str(), O_RDONLY | O_CLOEXEC));
  if (!space) fail("cannot open the network namespace " + netns + " (make it with: ip netns add NAME)");
  const UniqueFd home(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  // A TUN device is made in the namespace of the thread that asks, and can be used from any.
  if (!home || ::setns(space.get(), CLONE_NEWNET) != 0) fail("cannot enter " + netns + " (root is needed)");
  fd_ = UniqueFd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd_) fail("cannot open /dev/net/tun (is the tun module loaded?)");
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  device.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(fd_.get(), TUNSETIFF, &request) != 0) fail("cannot make the device " + device + " in " + netns);
  // No checksum is ever computed, and many segments cost one read.
  if (::ioctl(fd_.get(), TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN) != 0) {
    fail("cannot switch on segmentation offload of " + device);
  }
  counters_ = UniqueFd(::open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC));
  if (!counters_) fail("cannot open /proc/net/dev in " + netns);
  if (::setns(home.get(), CLONE_NEWNET) != 0) fail("cannot leave " + netns);
}

std::span<const uint8_t> Tun::read(std::span<uint8_t> buffer) {
  const ssize_t got = ::read(fd_.get(), buffer.data(), buffer.size());
  return buffer.first(got > 0 ? static_cast<size_t>(got) : 0);
}

uint64_t Tun::kernel_drops() const {
  char text[4096];
  const ssize_t got = ::pread(counters_.get(), text, sizeof text - 1, 0);
  text[got > 0 ? got : 0] = '\0';
  const char* line = std::strstr(text, (device_ + ":").c_str());
  unsigned long long received = 0, sent = 0;
  // NAME: bytes packets errors DROPPED fifo frame compressed multicast, and the same of what was sent.
  if (line == nullptr || std::sscanf(line + device_.size() + 1, "%*u %*u %*u %llu %*u %*u %*u %*u %*u %*u %*u %llu",
                                     &received, &sent) != 2) {
    return 0;
  }
  return received + sent;
}

bool Tun::write(const Packet::Slice& slice) {
  return ::writev(fd_.get(), slice.slices.data(), static_cast<int>(slice.slices.size())) >= 0;
}

}  // namespace paceline::wan
