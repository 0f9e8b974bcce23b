// Knows every socket libcurl has open, by host key, and reads their TCP_INFO: CURLINFO_ACTIVESOCKET says nothing while
// a transfer runs (curl 7.88.1), so the sockets are noted as libcurl opens and closes them.
// Thread rule: the network thread only. libcurl owns the sockets; the tracker must outlive the multi handle.
#pragma once

#include <curl/curl.h>

#include <string>
#include <unordered_map>

#include "plugin/net/network_thread.h"

namespace paceline::net {

class SocketTracker {
 public:
  /// Opens a socket for `host_key`; CURL_SOCKET_BAD on failure.
  curl_socket_t open(const std::string& host_key, const curl_sockaddr& address);
  /// Closes it and keeps its counters.
  void close(curl_socket_t socket);
  [[nodiscard]] TcpSample sample(const std::string& host_key);

 private:
  struct Host {
    unsigned sockets = 0;
    Duration rtt_min{0};  ///< Of all sockets so far.
    // Counters of closed sockets, and of live ones as of the last look.
    std::uint64_t segments_in = 0;
    std::uint64_t out_of_order = 0;
  };
  struct Socket {
    std::string host_key;
    std::uint32_t segments_in = 0;  ///< As of the last look: the kernel's counters are 32 bits wide and wrap.
    std::uint32_t out_of_order = 0;
  };
  struct Reading {
    bool established = false;
    Duration receive_rtt{0};  ///< Zero: none, or of a connection at rest.
  };

  Reading read(curl_socket_t fd, Socket& socket, Host& host) const;
  void forget_old_hosts();

  std::unordered_map<curl_socket_t, Socket> sockets_;
  std::unordered_map<std::string, Host> hosts_;
};

}  // namespace paceline::net
