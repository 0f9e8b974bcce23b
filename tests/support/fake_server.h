// A scripted HTTP/1.1 server on 127.0.0.1, for tests that need a peer that misbehaves. A handler gets each parsed
// request and writes whatever bytes it likes; helpers answer correctly where a test wants that.
//
//   FakeServer server([](const FakeRequest& request, FakeConnection& connection) {
//     if (request.target == "/short") return connection.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
//                                            connection.close();
//     connection.serve(request, "the blob");        // honours Range and HEAD
//   });
//   fetch(server.url("/short"));
//
// Threads: one accepts, one a connection runs the handler, so handlers run at the same time: what they share needs a
// lock or an atomic. Everything public may be called from any thread. The destructor ends all connections and joins:
// a handler must not wait without limit except in FakeConnection's own functions, which return when the server stops.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/certificate.h"

namespace paceline::test {

using FakeHeaders = std::vector<std::pair<std::string, std::string>>;

struct FakeRequest {
  std::string method;
  std::string target;   ///< As sent: "/path?query"; an absolute URL when the server plays a proxy.
  std::string version;  ///< "HTTP/1.1"
  FakeHeaders headers;
  std::string body;          ///< By Content-Length.
  unsigned connection = 0;   ///< Number of the connection it came over, from 0.
  bool tls_resumed = false;  ///< The TLS session of an earlier connection was taken up again.
  bool client_certificate = false;

  [[nodiscard]] std::string header(std::string_view name) const;  ///< Case-insensitive; empty when absent.
  [[nodiscard]] bool has(std::string_view name) const;
};

/// The connection a request came over. Writing fails quietly once the peer is gone.
class FakeConnection {
 public:
  /// Raw bytes; false when the peer went away or the server stops.
  bool write(std::string_view bytes);
  /// A complete response with Content-Length; to a HEAD request, only its head.
  bool respond(const FakeRequest& request, int status, std::string_view body = {}, const FakeHeaders& headers = {});
  /// `content` as a correct server would: 200, or 206 with Content-Range for "bytes=a-b", "bytes=a-", 416 past the end.
  bool serve(const FakeRequest& request, std::string_view content, const FakeHeaders& headers = {});
  /// Waits; false when the server stops or the peer goes away meanwhile.
  bool wait(std::chrono::milliseconds duration);
  /// Waits until the peer closes or the server stops.
  void wait_until_closed();
  /// Copies bytes both ways between this connection and a port on 127.0.0.1 until either end closes (for CONNECT).
  void tunnel(std::uint16_t port);
  /// Ends the connection after the handler: in order, or with a TCP reset.
  void close() { closing_ = true; }
  void reset() { closing_ = resetting_ = true; }

 private:
  friend class FakeServer;
  FakeConnection(int fd, SSL* ssl, int stop_fd) : fd_(fd), ssl_(ssl), stop_fd_(stop_fd) {}
  bool read_more();
  std::optional<FakeRequest> read_request();

  int fd_;
  SSL* ssl_;
  int stop_fd_;
  bool closing_ = false;
  bool resetting_ = false;
  std::string unread_;
};

class FakeServer {
 public:
  using Handler = std::function<void(const FakeRequest&, FakeConnection&)>;

  struct Options {
    std::optional<Certificate> certificate;  ///< Set: the server speaks TLS.
    std::string client_ca;                   ///< PEM; set: clients must show a certificate signed by it.
  };

  explicit FakeServer(Handler handler);
  FakeServer(Options options, Handler handler);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  /// "http://127.0.0.1:port" + path, or https.
  [[nodiscard]] std::string url(std::string_view path = "/") const;

  /// Every request so far, in order of arrival.
  [[nodiscard]] std::vector<FakeRequest> requests() const;
  /// Connections accepted so far.
  [[nodiscard]] unsigned connections() const;
  /// Waits until `count` requests have arrived; false after 10 s.
  [[nodiscard]] bool wait_for_requests(std::size_t count) const;

 private:
  struct SslContextFree {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  void accept_loop();
  void serve_connection(int fd, unsigned number);
  void run_connection(FakeConnection& connection, unsigned number);

  Handler handler_;
  std::unique_ptr<SSL_CTX, SslContextFree> tls_;
  int listener_ = -1;
  int stop_fd_ = -1;
  std::uint16_t port_ = 0;

  mutable std::mutex mutex_;
  std::vector<FakeRequest> requests_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

/// A port on 127.0.0.1 that refuses connections (it was free a moment ago).
std::uint16_t refused_port();

}  // namespace paceline::test
