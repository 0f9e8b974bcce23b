// The emulated link: two TUN devices, a pipe each way, the connections' caps, and the loop that moves packets on time.
// One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/wan/link/flows.h"
#include "tests/wan/link/histogram.h"
#include "tests/wan/link/pipe.h"
#include "tests/wan/link/settings.h"
#include "tests/wan/link/tun.h"

namespace paceline::wan {

class Link {
 public:
  Link(Tun client, Tun server, const Settings& settings, uint64_t seed);

  [[nodiscard]] int client_fd() const { return client_.fd(); }
  [[nodiscard]] int server_fd() const { return server_.fd(); }

  /// Takes what the namespaces have sent and delivers what is due. Returns whether there was any.
  bool work();
  /// When work() is needed next even if nothing arrives (CLOCK_MONOTONIC, ns).
  [[nodiscard]] std::optional<int64_t> next_event() const;

  [[nodiscard]] const Settings& settings() const { return settings_; }
  void set(const Settings& settings);
  /// One line of JSON.
  [[nodiscard]] std::string stats() const;
  void reset_stats();

  static int64_t now();

 private:
  [[nodiscard]] uint64_t kernel_drops() const { return client_.kernel_drops() + server_.kernel_drops(); }
  /// How many packets came; kMostReads: there may be more.
  int take(Tun& from, bool from_client);
  /// How many pieces were due.
  int deliver(Pipe& pipe, Tun& to, bool to_server);

  Tun client_, server_;
  Settings settings_;
  Pipe down_, up_;
  Flows flows_;
  std::vector<uint8_t> buffer_;
  Histogram lateness_;
  uint64_t unknown_packets_ = 0, write_failures_ = 0, kernel_drops_since_ = 0;
  int64_t since_;
  double cpu_since_;
};

}  // namespace paceline::wan
