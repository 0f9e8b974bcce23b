// Who is at the other end of a TCP connection within this machine: the kernel knows the user who made each socket.
//
// Asked for the exact pair of addresses by sock_diag(7); where that is not built in, read from /proc/net/tcp and tcp6
// (proc_pid_net(5)), which costs a line for each socket of the network namespace. Any thread.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <optional>
#include <string_view>

namespace paceline::mirror {

/// The user, as numbered in this process' user namespace. Empty: nobody holds the other end open any more, or the
/// kernel does not tell.
[[nodiscard]] std::optional<uid_t> user_of_peer(int connection);

namespace peer {

/// Both ends, seen from the peer: its own address first.
struct Ends {
  sockaddr_storage own{};
  sockaddr_storage other{};
};

[[nodiscard]] std::optional<uid_t> user_by_diagnosis(const Ends& peer);
/// `table`: text of /proc/net/tcp or tcp6.
[[nodiscard]] std::optional<uid_t> user_in_table(std::string_view table, const Ends& peer);

}  // namespace peer
}  // namespace paceline::mirror
