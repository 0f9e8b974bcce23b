#include "plugin/mirror/peer_user.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "plugin/base/fd.h"

namespace paceline::mirror {
namespace peer {
namespace {

struct Address {
  std::array<std::uint32_t, 4> words{};  // network order; IPv4 in the first
  unsigned count = 1;                    // of words
  std::uint16_t port = 0;                // network order
};

Address address_of(const sockaddr_storage& storage) {
  Address address;
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof(v6));
    std::memcpy(address.words.data(), &v6.sin6_addr, sizeof(v6.sin6_addr));
    address.count = 4;
    address.port = v6.sin6_port;
  } else {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof(v4));
    address.words[0] = v4.sin_addr.s_addr;
    address.port = v4.sin_port;
  }
  return address;
}

// The form of /proc/net/tcp: "0100007F:1F90". Words as the machine reads them, the port in network order.
std::string table_form(const sockaddr_storage& storage) {
  const Address address = address_of(storage);
  std::array<char, 9> text{};
  std::string form;
  for (unsigned i = 0; i < address.count; ++i) {
    std::snprintf(text.data(), text.size(), "%08X", address.words[i]);
    form += text.data();
  }
  std::snprintf(text.data(), text.size(), ":%04X", ntohs(address.port));
  return form + text.data();
}

// An end that its process has closed belongs to nobody, and the kernel shows it as root's.
bool is_held(unsigned state, std::uint64_t inode) {
  return inode != 0 &&
         (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT || state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2);
}

}  // namespace

std::optional<uid_t> user_by_diagnosis(const Ends& peer) {
  const UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink) return std::nullopt;
  const timeval patience{.tv_sec = 1, .tv_usec = 0};  // The kernel answers within the call.
  ::setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));

  struct {
    nlmsghdr header;
    inet_diag_req_v2 question;
  } request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.question.sdiag_family = static_cast<std::uint8_t>(peer.own.ss_family);
  request.question.sdiag_protocol = IPPROTO_TCP;
  request.question.idiag_states = ~0U;
  const Address own = address_of(peer.own);
  const Address other = address_of(peer.other);
  auto& id = request.question.id;
  id.idiag_sport = own.port;
  id.idiag_dport = other.port;
  std::copy(own.words.begin(), own.words.end(), id.idiag_src);
  std::copy(other.words.begin(), other.words.end(), id.idiag_dst);
  id.idiag_cookie[0] = id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (::send(netlink.get(), &request, sizeof(request), 0) != static_cast<ssize_t>(sizeof(request))) return std::nullopt;

  alignas(nlmsghdr) std::array<std::byte, 4096> buffer;
  const ssize_t got = ::recv(netlink.get(), buffer.data(), buffer.size(), 0);
  if (got < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(inet_diag_msg)))) return std::nullopt;
  nlmsghdr header{};
  std::memcpy(&header, buffer.data(), sizeof(header));
  if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return std::nullopt;  // NLMSG_ERROR: no such socket, or not built in.
  inet_diag_msg answer{};
  std::memcpy(&answer, buffer.data() + NLMSG_HDRLEN, sizeof(answer));
  if (answer.id.idiag_sport != id.idiag_sport || answer.id.idiag_dport != id.idiag_dport) return std::nullopt;
  if (!is_held(answer.idiag_state, answer.idiag_inode)) return std::nullopt;
  return answer.idiag_uid;
}

std::optional<uid_t> user_in_table(std::string_view table, const Ends& peer) {
  // sl  local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
  const std::string ends = " " + table_form(peer.own) + " " + table_form(peer.other) + " ";
  const auto at = table.find(ends);
  if (at == std::string_view::npos) return std::nullopt;
  const auto rest = table.substr(at + ends.size());
  std::istringstream fields{std::string(rest.substr(0, rest.find('\n')))};
  std::string state, queues, timer, retransmits, timeout;
  std::uint64_t user = 0, inode = 0;
  if (!(fields >> state >> queues >> timer >> retransmits >> user >> timeout >> inode)) return std::nullopt;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(state.data(), state.data() + state.size(), number, 16);
  if (error != std::errc{} || end != state.data() + state.size() || !is_held(number, inode)) return std::nullopt;
  return static_cast<uid_t>(user);
}

}  // namespace peer

std::optional<uid_t> user_of_peer(int connection) {
  peer::Ends ends;
  socklen_t length = sizeof(ends.own);
  if (::getpeername(connection, reinterpret_cast<sockaddr*>(&ends.own), &length) != 0) return std::nullopt;
  length = sizeof(ends.other);
  if (::getsockname(connection, reinterpret_cast<sockaddr*>(&ends.other), &length) != 0) return std::nullopt;
  if (auto user = peer::user_by_diagnosis(ends)) return user;
  std::ifstream file(ends.own.ss_family == AF_INET6 ? "/proc/net/tcp6" : "/proc/net/tcp");
  std::ostringstream table;
  table << file.rdbuf();
  return peer::user_in_table(table.view(), ends);
}

}  // namespace paceline::mirror
