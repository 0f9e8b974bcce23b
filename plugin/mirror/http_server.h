// An HTTP/1.1 server for this machine only. It owns the sockets and a thread a connection; cpp-httplib reads the
// requests and writes the responses. What one connection may cost is bounded: size and time of a request's head, time
// of a write, and the number of connections (more wait in the kernel's queue).
//
// Thread rule: start, drain and the destructor from one thread; the handler runs on many at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "plugin/base/clock.h"
#include "plugin/base/fd.h"
#include "plugin/config/config.h"
#include "plugin/mirror/http_message.h"

namespace paceline::mirror {

struct HttpServerLimits {
  /// 100 pulls at once, each with a request upstream and an idle connection kept, and some to spare.
  unsigned connections = 256;
  std::size_t head_bytes = 64U << 10U;
  Duration head_time = std::chrono::seconds(10);
  Duration idle_time = std::chrono::seconds(5);
  Duration write_time = std::chrono::seconds(60);
};

class HttpServer {
 public:
  static Result<std::unique_ptr<HttpServer>> start(const config::LoopbackAddress& address, Handler handler,
                                                   const HttpServerLimits& limits = {});
  /// Cuts what is left and joins; a handler still at work is waited for.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// With the port that was picked.
  [[nodiscard]] const config::LoopbackAddress& address() const { return address_; }

  /// Takes no more connections, closes idle ones, and gives requests under way up to `grace` to end. True: all did.
  bool drain(Duration grace);

 private:
  class Protocol;
  struct Connection {
    UniqueFd socket;
    bool busy = false;  ///< A request is under way.
    bool done = false;
    std::thread thread;
  };

  HttpServer(UniqueFd listener, config::LoopbackAddress address, Handler handler, const HttpServerLimits& limits);
  void accept_loop();
  void serve(Connection& connection);
  void stop_accepting();
  void join_done(std::unique_lock<std::mutex>& lock);

  const HttpServerLimits limits_;
  const config::LoopbackAddress address_;
  UniqueFd listener_;
  std::unique_ptr<Protocol> protocol_;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Connection> connections_;
  std::thread acceptor_;
};

}  // namespace paceline::mirror
