#include "plugin/mirror/http_server.h"

#include <arpa/inet.h>
#include <httplib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "plugin/base/log.h"
#include "plugin/base/text.h"
#include "plugin/mirror/peer_user.h"

namespace paceline::mirror {
namespace {

int milliseconds_until(TimePoint deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
}

// False: not ready in time, or gone.
bool wait_for(int fd, short events, TimePoint deadline) {
  for (;;) {
    pollfd entry{.fd = fd, .events = events, .revents = 0};
    const int ready = ::poll(&entry, 1, milliseconds_until(deadline));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

/// One connection as httplib sees it. Reading is bounded by a budget of bytes and a deadline, both set for each
/// request: httplib itself reads a line of any length.
class SocketStream final : public httplib::Stream {
 public:
  SocketStream(int fd, Duration write_time) : fd_(fd), write_time_(write_time) {}

  void begin_head(std::size_t budget, TimePoint deadline) {
    budget_ = budget;
    deadline_ = deadline;
  }

  [[nodiscard]] bool is_readable() const override { return wait_for(fd_, POLLIN, deadline_); }
  [[nodiscard]] bool is_writable() const override {
    return wait_for(fd_, POLLOUT, std::chrono::steady_clock::now() + write_time_);
  }

  ssize_t read(char* data, std::size_t size) override {
    // httplib reads byte by byte: the buffer saves the system calls.
    if (begin_ == end_) {
      if (budget_ == 0 || !is_readable()) return -1;
      ssize_t got = 0;
      do got = ::recv(fd_, buffer_.data(), std::min(buffer_.size(), budget_), 0);
      while (got < 0 && errno == EINTR);
      if (got <= 0) return got;
      budget_ -= static_cast<std::size_t>(got);
      begin_ = 0;
      end_ = static_cast<std::size_t>(got);
    }
    const std::size_t count = std::min(size, end_ - begin_);
    std::copy_n(buffer_.data() + begin_, count, data);
    begin_ += count;
    return static_cast<ssize_t>(count);
  }

  ssize_t write(const char* data, std::size_t size) override {
    for (;;) {
      const ssize_t sent = ::send(fd_, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0) return sent;
      if (errno == EINTR) continue;
      if ((errno != EAGAIN && errno != EWOULDBLOCK) || !is_writable()) return -1;
    }
  }

  /// Part of the next request is here already.
  [[nodiscard]] bool has_buffered() const { return begin_ != end_; }

  // Not needed: whoever connects is on this machine; which user it is comes by set_user().
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  [[nodiscard]] socket_t socket() const override { return fd_; }

 private:
  const int fd_;
  const Duration write_time_;
  std::size_t budget_ = 0;
  TimePoint deadline_;
  std::array<char, 4096> buffer_{};
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

// httplib's request has no place for what is ours; this field of it is unused here, and no client can set it.
void set_user(httplib::Request& request, std::optional<uid_t> user) {
  request.remote_addr = user ? std::to_string(*user) : std::string();
}

std::optional<uid_t> user_of(const httplib::Request& request) {
  if (request.remote_addr.empty()) return std::nullopt;
  return static_cast<uid_t>(std::stoul(request.remote_addr));
}

Request to_request(const httplib::Request& from) {
  Request request{.method = from.method, .target = from.target, .headers = {}, .user = user_of(from)};
  for (const auto& [name, value] : from.headers) request.headers.add(name, value);
  return request;
}

void send_source(Response from, httplib::Response& to, const std::string& type) {
  const auto next = [source = std::shared_ptr<BodySource>(std::move(from.source))] {
    auto piece = source->next();
    if (!piece) spdlog::debug("mirror: a forwarded body broke off: {}", piece.error().to_string());
    return piece;
  };
  // False cuts the connection: a body that broke off must look short to the client.
  if (from.length) {
    to.set_content_provider(*from.length, type, [next](std::size_t, std::size_t, httplib::DataSink& sink) {
      const auto piece = next();
      return piece && !piece->empty() && sink.write(piece->data(), piece->size());
    });
  } else {
    to.set_chunked_content_provider(type, [next](std::size_t, httplib::DataSink& sink) {
      const auto piece = next();
      if (!piece) return false;
      if (!piece->empty()) return sink.write(piece->data(), piece->size());
      sink.done();
      return true;
    });
  }
}

void to_httplib(const Request& request, Response from, httplib::Response& to) {
  to.status = from.status;
  std::string type(from.headers.get("Content-Type"));
  from.headers.remove("Content-Type");
  if (type.empty()) type = "application/octet-stream";
  for (const auto& field : from.headers.fields()) to.set_header(field.name, field.value);
  if (request.method == "HEAD" || from.status == 304 || from.status == 204) {
    const std::uint64_t length = from.length.value_or(from.body.size());
    // The provider is not called for HEAD: it stands for the Content-Length.
    if (length > 0 && request.method == "HEAD") {
      to.set_content_provider(length, type, [](std::size_t, std::size_t, httplib::DataSink&) { return false; });
    } else if (request.method == "HEAD") {
      to.set_header("Content-Type", type);
    }
  } else if (from.source && from.length != std::uint64_t{0}) {
    send_source(std::move(from), to, type);
  } else {
    to.set_content(from.body, type);
  }
}

Result<UniqueFd> listen_on(const config::LoopbackAddress& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (v6) {
    auto& to = reinterpret_cast<sockaddr_in6&>(storage);
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(address.port);
    ::inet_pton(AF_INET6, address.host.c_str(), &to.sin6_addr);
    length = sizeof(to);
  } else {
    auto& to = reinterpret_cast<sockaddr_in&>(storage);
    to.sin_family = AF_INET;
    to.sin_port = htons(address.port);
    ::inet_pton(AF_INET, address.host.c_str(), &to.sin_addr);
    length = sizeof(to);
  }
  UniqueFd fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail(errno_error(errno, "socket"));
  // A restarted daemon takes its port back although old connections linger in TIME_WAIT.
  const int yes = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
    return fail(errno_error(errno, "cannot listen on " + address.to_string()));
  }
  if (::listen(fd.get(), SOMAXCONN) != 0) return fail(errno_error(errno, "listen on " + address.to_string()));
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length);
  return ntohs(storage.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(storage).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(storage).sin_port);
}

}  // namespace

/// httplib's reading and writing of messages, without its sockets, threads and routing.
class HttpServer::Protocol : public httplib::Server {
 public:
  Protocol(int listener, mirror::Handler handler, const HttpServerLimits& limits) : handler_(std::move(handler)) {
    svr_sock_ = listener;  // httplib looks only at whether there is one: without, it takes itself for stopping.
    set_keep_alive_timeout(std::chrono::duration_cast<std::chrono::seconds>(limits.idle_time).count());
    set_pre_routing_handler([this](const httplib::Request& from, httplib::Response& to) {
      answer(from, to);
      return HandlerResponse::Handled;
    });
  }

  /// One request and its response; false when the connection is of no more use.
  bool exchange(SocketStream& stream, std::optional<uid_t> user) {
    bool closed = false;
    bool has_body = false;
    const bool good = process_request(stream, false, closed, [&has_body, user](httplib::Request& request) {
      set_user(request, user);
      // What would make httplib change a body that comes from upstream: the upstream cuts ranges and compresses.
      request.ranges.clear();
      request.headers.erase("Accept-Encoding");
      has_body = request.has_header("Content-Length") || request.has_header("Transfer-Encoding");
    });
    // A body would be taken for the next request.
    return good && !closed && !has_body;
  }

 private:
  void answer(const httplib::Request& from, httplib::Response& to) try {
    const Request request = to_request(from);
    to_httplib(request, handler_(request), to);
  } catch (const std::exception& error) {
    spdlog::error("http server: {}", error.what());
    to_httplib({}, error_response(500, "UNKNOWN", "internal error"), to);
  }

  const mirror::Handler handler_;
};

Result<std::unique_ptr<HttpServer>> HttpServer::start(const config::LoopbackAddress& address, Handler handler,
                                                      const HttpServerLimits& limits) {
  // Parsed again: an address made by hand may not be loopback.
  if (const auto checked = config::parse_loopback(address.to_string()); !checked) return fail(checked.error());
  auto listener = listen_on(address);
  if (!listener) return fail(listener.error());
  config::LoopbackAddress bound = address;
  bound.port = port_of(listener->get());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(*listener), bound, std::move(handler), limits));
}

HttpServer::HttpServer(UniqueFd listener, config::LoopbackAddress address, Handler handler,
                       const HttpServerLimits& limits)
    : limits_(limits),
      address_(std::move(address)),
      listener_(std::move(listener)),
      protocol_(std::make_unique<Protocol>(listener_.get(), std::move(handler), limits)),
      acceptor_([this] { accept_loop(); }) {}

HttpServer::~HttpServer() {
  stop_accepting();
  {
    const std::lock_guard lock(mutex_);
    for (auto& connection : connections_) ::shutdown(connection.socket.get(), SHUT_RDWR);
  }
  // No connection is added any more: the list is ours but for the flags.
  for (auto& connection : connections_) connection.thread.join();
}

void HttpServer::stop_accepting() {
  {
    const std::lock_guard lock(mutex_);  // Else whoever is about to wait would miss it.
    stopping_ = true;
  }
  ::shutdown(listener_.get(), SHUT_RDWR);  // Wakes accept().
  changed_.notify_all();
  if (acceptor_.joinable()) acceptor_.join();
}

bool HttpServer::drain(Duration grace) {
  const TimePoint deadline = std::chrono::steady_clock::now() + grace;
  stop_accepting();
  std::unique_lock lock(mutex_);
  for (auto& connection : connections_) {
    if (!connection.busy) ::shutdown(connection.socket.get(), SHUT_RDWR);
  }
  return changed_.wait_until(lock, deadline, [this] {
    return std::ranges::all_of(connections_, [](const Connection& connection) { return connection.done; });
  });
}

void HttpServer::accept_loop() {
  while (!stopping_) {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) {
      if (stopping_) return;
      // Out of descriptors, or the peer is gone already: neither is a reason to stop serving.
      if (errno != EINTR && errno != ECONNABORTED) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      continue;
    }
    const int yes = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));

    std::unique_lock lock(mutex_);
    join_done(lock);
    changed_.wait(lock, [&] {
      join_done(lock);
      return connections_.size() < limits_.connections || stopping_;
    });
    if (stopping_) return;
    Connection& connection = connections_.emplace_back();
    connection.socket = std::move(socket);
    connection.thread = std::thread([this, &connection] { serve(connection); });
  }
}

// Their threads have nothing left to do but return.
void HttpServer::join_done(std::unique_lock<std::mutex>& lock) {
  std::list<Connection> done;
  for (auto at = connections_.begin(); at != connections_.end();) {
    const auto next = std::next(at);
    if (at->done) done.splice(done.end(), connections_, at);
    at = next;
  }
  if (done.empty()) return;
  lock.unlock();
  for (auto& connection : done) connection.thread.join();
  lock.lock();
}

void HttpServer::serve(Connection& connection) {
  SocketStream stream(connection.socket.get(), limits_.write_time);
  std::optional<uid_t> user;
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto set_busy = [&](bool busy) {
    const std::lock_guard lock(mutex_);
    connection.busy = busy;
    return !stopping_;
  };
  for (;;) {
    if (!stream.has_buffered() && !wait_for(connection.socket.get(), POLLIN, now() + limits_.idle_time)) break;
    stream.begin_head(limits_.head_bytes, now() + limits_.head_time);
    if (!set_busy(true)) break;
    // Once a connection: a socket's user does not change. Not before the first request, which shows that it is in use.
    if (!user) user = user_of_peer(connection.socket.get());
    const bool more = protocol_->exchange(stream, user);
    if (!set_busy(false) || !more) break;
  }
  ::shutdown(connection.socket.get(), SHUT_RDWR);  // The descriptor itself is closed by whoever joins this thread.
  const std::lock_guard lock(mutex_);
  connection.done = true;
  changed_.notify_all();
}

}  // namespace paceline::mirror
