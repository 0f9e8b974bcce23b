#include "plugin/net/socket_tracker.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace paceline::net {
namespace {

/// Redirects name the hosts, so a registry could make us remember any number of them.
constexpr std::size_t kHostLimit = 1024;
/// tcpi_rcv_rtt is kept by the kernel while a connection rests; past this it says nothing about the path any more.
constexpr std::uint32_t kFreshMilliseconds = 1000;
constexpr std::uint8_t kEstablished = 1;  // TCP_ESTABLISHED of <netinet/tcp.h>, which excludes <linux/tcp.h>.

}  // namespace

curl_socket_t SocketTracker::open(const std::string& host_key, const curl_sockaddr& address) {
  const curl_socket_t fd = ::socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  if (!hosts_.contains(host_key)) forget_old_hosts();
  ++hosts_[host_key].sockets;
  sockets_[fd] = Socket{.host_key = host_key};
  return fd;
}

void SocketTracker::close(curl_socket_t fd) {
  if (auto entry = sockets_.extract(fd)) {
    Host& host = hosts_[entry.mapped().host_key];
    read(fd, entry.mapped(), host);
    --host.sockets;
  }
  // A reset, not a FIN: what a stopped transfer has on its way is not wanted, and a host that counts connections must
  // not see this one and its successor at once.
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  ::close(fd);
}

TcpSample SocketTracker::sample(const std::string& host_key) {
  const auto found = hosts_.find(host_key);
  if (found == hosts_.end()) return {};
  Host& host = found->second;
  TcpSample sample;
  unsigned with_rtt = 0;
  for (auto& [fd, socket] : sockets_) {
    if (socket.host_key != host_key) continue;
    const Reading reading = read(fd, socket, host);
    if (!reading.established) continue;
    ++sample.sockets;
    if (reading.receive_rtt > Duration::zero()) {
      sample.receive_rtt += reading.receive_rtt;
      ++with_rtt;
    }
  }
  if (with_rtt > 0) sample.receive_rtt /= with_rtt;
  sample.rtt_min_connect = host.rtt_min;
  sample.segments_in = host.segments_in;
  sample.out_of_order = host.out_of_order;
  return sample;
}

SocketTracker::Reading SocketTracker::read(curl_socket_t fd, Socket& socket, Host& host) const {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};

  host.segments_in += info.tcpi_data_segs_in - std::exchange(socket.segments_in, info.tcpi_data_segs_in);
  host.out_of_order += info.tcpi_rcv_ooopack - std::exchange(socket.out_of_order, info.tcpi_rcv_ooopack);

  // tcpi_min_rtt keeps the handshake's sample, which no server think time can inflate; ~0 means none yet.
  if (info.tcpi_min_rtt != 0 && info.tcpi_min_rtt != std::numeric_limits<std::uint32_t>::max()) {
    const Duration rtt = std::chrono::microseconds(info.tcpi_min_rtt);
    host.rtt_min = host.rtt_min == Duration::zero() ? rtt : std::min(host.rtt_min, rtt);
  }
  const bool fresh = info.tcpi_last_data_recv < kFreshMilliseconds;
  return {.established = info.tcpi_state == kEstablished,
          .receive_rtt = std::chrono::microseconds(fresh ? info.tcpi_rcv_rtt : 0)};
}

void SocketTracker::forget_old_hosts() {
  if (hosts_.size() < kHostLimit) return;
  std::erase_if(hosts_, [](const auto& entry) { return entry.second.sockets == 0; });
}

}  // namespace paceline::net
