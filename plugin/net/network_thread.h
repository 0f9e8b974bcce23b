// The one thread that talks to the network: a libcurl multi handle, timers, and posted work.
//
// Thread rule: post() and fetch() from any thread (fetch never from the network thread itself); everything else on the
// network thread only, that is from a TransferHandler, a timer or a posted function. State used only there needs no
// lock. Ownership: the thread owns every transfer until its on_done returned. The destructor cancels all transfers
// (on_done is called with kCancelled), drops timers and joins.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/net/http.h"
#include "plugin/net/request_tally.h"

namespace paceline::net {

/// How a transfer ended and what it cost. Times count from start(); zero when the step did not happen.
struct TransferEnd {
  Status status;           ///< ok: a complete HTTP message, whatever its status code.
  bool aborted = false;    ///< A handler answered kAbort; status is then kCancelled.
  bool reused = false;     ///< Ran over a connection that was already open.
  Duration connect{0};     ///< TCP connect time of a new connection: one RTT.
  Duration tls{0};         ///< TLS handshake alone.
  Duration first_byte{0};  ///< From request sent to first byte of the response.
  Duration total{0};
  std::uint64_t body_bytes = 0;
};

enum class Flow {
  kContinue,
  kPause,  ///< From on_body: the data was taken, but no more is wanted until resume(). The peer is slowed down by TCP.
  kAbort,
};

/// Receives one transfer's events on the network thread. Must not block beyond a page-cache write.
class TransferHandler {
 public:
  virtual ~TransferHandler() = default;
  virtual Flow on_head(const ResponseHead& head) = 0;
  virtual Flow on_body(std::span<const std::byte> data) = 0;
  /// Exactly once, last; the handler is destroyed after it.
  virtual void on_done(const TransferEnd& end) = 0;
};

/// Aggregate of TCP_INFO over the live sockets of one host key (url.h), receiving side; zeros when none is open.
/// Usable fields on a receiver: tcpi_rcv_rtt, bytes_received, data_segs_in, rcv_ooopack (measured; the sender-side
/// fields freeze after the request).
struct TcpSample {
  unsigned sockets = 0;
  Duration rtt_min_connect{0};     ///< Smallest tcpi_rtt seen right after connect on any socket of this host so far.
  Duration receive_rtt{0};         ///< Mean tcpi_rcv_rtt of sockets that have one.
  std::uint64_t segments_in = 0;   ///< data_segs_in, summed over live and closed sockets: never falls.
  std::uint64_t out_of_order = 0;  ///< rcv_ooopack, likewise.
};

using TransferId = std::uint64_t;
using TimerId = std::uint64_t;

struct NetworkOptions {
  std::size_t max_idle_connections = 128;
  unsigned host_connections = 0;             ///< Most to one host (limit_connections() sets others); 0: no limit.
  std::size_t receive_buffer = 256U << 10U;  ///< CURLOPT_BUFFERSIZE, bytes a transfer.
  std::string https_proxy;                   ///< From HTTPS_PROXY and so on by from_environment().
  std::string http_proxy;
  std::string no_proxy;
  std::string ca_bundle;  ///< PEM file in place of the system's (SSL_CERT_FILE, as containerd); empty: the system's.
  std::string user_agent = "paceline";
  static NetworkOptions from_environment();
};

class NetworkThread {
 public:
  explicit NetworkThread(NetworkOptions options);
  ~NetworkThread();
  NetworkThread(const NetworkThread&) = delete;
  NetworkThread& operator=(const NetworkThread&) = delete;

  /// Runs `work` on the network thread, in order of posting. Any thread.
  void post(std::function<void()> work);

  /// Starts a transfer. Redirects are not followed: a 3xx is a response like any other. A malformed request ends in
  /// on_done (never from inside start()).
  TransferId start(const HttpRequest& request, std::unique_ptr<TransferHandler> handler);
  /// Ends a transfer: on_done(kCancelled) is called before this returns. Not from inside that transfer's own handler
  /// (answer kAbort there). Unknown ids are ignored.
  void cancel(TransferId id);
  /// Never more connections than that to the host, resting ones included: what would need one more waits. An empty key:
  /// to any host for which this was not called. 0: no limit of its own.
  void limit_connections(const std::string& host_key, unsigned most);
  /// Called on the network thread, never from inside start(), for each transfer that has to wait for a connection and
  /// is not `patient`: whoever listens may cancel a transfer to that host that matters less.
  void on_host_full(std::function<void(const std::string& host_key)> listener);

  /// Lets a paused transfer go on; unknown and unpaused ids are ignored. The stall floor does not count while paused.
  /// No on_body is called from inside.
  void resume(TransferId id);

  TimerId after(Duration delay, std::function<void()> action);
  void cancel_timer(TimerId id);

  [[nodiscard]] TcpSample sample(const std::string& host_key);
  /// All requests that were sent and have ended, since the start. Any thread.
  [[nodiscard]] std::vector<RequestCount> requests() const;

  /// A whole small response, blocking the caller. The body is cut off with kResourceExhausted past `body_limit` bytes
  /// (also when Content-Length announces more). Without a total_timeout, 60 s. Any thread but the network thread.
  Result<HttpResponse> fetch(HttpRequest request, std::size_t body_limit);

  [[nodiscard]] bool on_network_thread() const;

  /// Cancels every transfer and from now on ends new ones with kCancelled at once, so that callers blocked in fetch()
  /// come back; posted work still runs. Any thread; the daemon's stop calls it before it joins those callers.
  void shut_down();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paceline::net
