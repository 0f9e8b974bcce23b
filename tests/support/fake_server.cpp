#include "tests/support/fake_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <poll.h>
#include <signal.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <stdexcept>

namespace paceline::test {
namespace {

constexpr std::size_t kRequestHeadLimit = 1U << 20U;

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("fake server: ") + what);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// Binds to a free port of 127.0.0.1 and returns the socket and the port.
std::pair<int, std::uint16_t> bind_loopback() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  check(fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
            ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0,
        "bind");
  return {fd, ntohs(address.sin_port)};
}

BIO* pem_source(const std::string& text) { return BIO_new_mem_buf(text.data(), static_cast<int>(text.size())); }

X509* read_certificate(const std::string& pem) {
  BIO* bio = pem_source(pem);
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  check(certificate != nullptr, "certificate");
  return certificate;
}

SSL_CTX* make_tls_context(const FakeServer::Options& options) {
  if (!options.certificate) return nullptr;
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  check(context != nullptr, "SSL_CTX");
  X509* certificate = read_certificate(options.certificate->certificate);
  BIO* bio = pem_source(options.certificate->key);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  check(SSL_CTX_use_certificate(context, certificate) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1, "key pair");
  X509_free(certificate);
  EVP_PKEY_free(key);
  // Resumption with client certificates needs a session context of its own.
  constexpr std::string_view kSession = "paceline-fake";
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(kSession.data()), kSession.size());
  if (!options.client_ca.empty()) {
    X509* authority = read_certificate(options.client_ca);
    check(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority) == 1, "client CA");
    X509_free(authority);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return context;
}

std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  return line;
}

std::string_view next_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(line.size(), end + 1));
  return word;
}

FakeRequest parse_head(std::string_view head) {
  FakeRequest request;
  std::string_view line = next_line(head);
  request.method = next_word(line);
  request.target = next_word(line);
  request.version = line;
  while (!head.empty()) {
    line = next_line(head);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    request.headers.emplace_back(line.substr(0, colon), value);
  }
  return request;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

std::optional<ByteRange> requested_range(const FakeRequest& request, std::uint64_t size) {
  std::string text = request.header("Range");
  if (!text.starts_with("bytes=")) return std::nullopt;
  const std::size_t dash = text.find('-');
  const auto first = parse_number(std::string_view(text).substr(6, dash == std::string::npos ? 0 : dash - 6));
  if (!first) return std::nullopt;
  const auto last = parse_number(std::string_view(text).substr(dash + 1));
  return ByteRange{*first, std::min(last.value_or(size - 1), size - 1)};
}

}  // namespace

std::string FakeRequest::header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (same_name(field, name)) return value;
  }
  return {};
}

bool FakeRequest::has(std::string_view name) const {
  return std::any_of(headers.begin(), headers.end(), [&](const auto& field) { return same_name(field.first, name); });
}

bool FakeConnection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(),
                                                     static_cast<int>(std::min<std::size_t>(bytes.size(), 1U << 30U)))
                                         : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (written < 0 && ssl_ == nullptr && errno == EINTR) continue;
    if (written <= 0) {
      closing_ = true;
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool FakeConnection::respond(const FakeRequest& request, int status, std::string_view body,
                             const FakeHeaders& headers) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " Scripted\r\n";
  for (const auto& [name, value] : headers) head.append(name).append(": ").append(value).append("\r\n");
  head += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  return write(head) && (request.method == "HEAD" || write(body));
}

bool FakeConnection::serve(const FakeRequest& request, std::string_view content, const FakeHeaders& headers) {
  const auto range = requested_range(request, content.size());
  if (!range) return respond(request, 200, content, headers);
  FakeHeaders with_range = headers;
  const std::string size = std::to_string(content.size());
  if (range->first > range->last || range->first >= content.size()) {
    with_range.emplace_back("Content-Range", "bytes */" + size);
    return respond(request, 416, {}, with_range);
  }
  with_range.emplace_back("Content-Range",
                          "bytes " + std::to_string(range->first) + "-" + std::to_string(range->last) + "/" + size);
  return respond(request, 206, content.substr(range->first, range->last - range->first + 1), with_range);
}

bool FakeConnection::wait(std::chrono::milliseconds duration) {
  std::array<pollfd, 2> events{{{stop_fd_, POLLIN, 0}, {fd_, POLLRDHUP, 0}}};
  return ::poll(events.data(), events.size(), static_cast<int>(duration.count())) == 0;
}

void FakeConnection::wait_until_closed() {
  std::array<pollfd, 2> events{{{stop_fd_, POLLIN, 0}, {fd_, POLLRDHUP, 0}}};
  while (::poll(events.data(), events.size(), -1) < 0 && errno == EINTR) {
  }
  closing_ = true;
}

void FakeConnection::tunnel(std::uint16_t port) {
  closing_ = true;
  const int other = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  bool open = ::connect(other, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  std::array<char, 65536> buffer{};
  while (open) {
    std::array<pollfd, 3> events{{{stop_fd_, POLLIN, 0}, {fd_, POLLIN, 0}, {other, POLLIN, 0}}};
    if (::poll(events.data(), events.size(), -1) < 0 || events[0].revents != 0) break;
    const int from = events[1].revents != 0 ? fd_ : other;
    const ssize_t count = ::recv(from, buffer.data(), buffer.size(), 0);
    open = count > 0 &&
           ::send(from == fd_ ? other : fd_, buffer.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL) == count;
  }
  ::close(other);
}

bool FakeConnection::read_more() {
  std::array<char, 16384> buffer{};
  ssize_t count = 0;
  do {
    count =
        ssl_ != nullptr ? SSL_read(ssl_, buffer.data(), buffer.size()) : ::recv(fd_, buffer.data(), buffer.size(), 0);
  } while (count < 0 && ssl_ == nullptr && errno == EINTR);
  if (count <= 0) return false;
  unread_.append(buffer.data(), static_cast<std::size_t>(count));
  return true;
}

std::optional<FakeRequest> FakeConnection::read_request() {
  std::size_t end = 0;
  while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
    if (unread_.size() > kRequestHeadLimit || !read_more()) return std::nullopt;
  }
  FakeRequest request = parse_head(std::string_view(unread_).substr(0, end));
  unread_.erase(0, end + 4);
  const std::uint64_t body = parse_number(request.header("Content-Length")).value_or(0);
  while (unread_.size() < body) {
    if (!read_more()) return std::nullopt;
  }
  request.body = unread_.substr(0, body);
  unread_.erase(0, body);
  return request;
}

FakeServer::FakeServer(Handler handler) : FakeServer(Options{}, std::move(handler)) {}

FakeServer::FakeServer(Options options, Handler handler)
    : handler_(std::move(handler)), tls_(make_tls_context(options)), stop_fd_(::eventfd(0, EFD_CLOEXEC)) {
  std::tie(listener_, port_) = bind_loopback();
  check(::listen(listener_, 512) == 0, "listen");
  acceptor_ = std::thread([this] { accept_loop(); });
}

FakeServer::~FakeServer() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_fd_, &one, sizeof(one));
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
  ::close(stop_fd_);
}

std::string FakeServer::url(std::string_view path) const {
  return std::string(tls_ ? "https://" : "http://").append(host()).append(path);
}

std::vector<FakeRequest> FakeServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

unsigned FakeServer::connections() const {
  const std::lock_guard lock(mutex_);
  return static_cast<unsigned>(threads_.size());
}

bool FakeServer::wait_for_requests(std::size_t count) const {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < give_up) {
    {
      const std::lock_guard lock(mutex_);
      if (requests_.size() >= count) return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

void FakeServer::accept_loop() {
  while (true) {
    std::array<pollfd, 2> events{{{stop_fd_, POLLIN, 0}, {listener_, POLLIN, 0}}};
    if (::poll(events.data(), events.size(), -1) < 0) continue;
    if (events[0].revents != 0) return;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const std::lock_guard lock(mutex_);
    const auto number = static_cast<unsigned>(threads_.size());
    threads_.emplace_back([this, fd, number] { serve_connection(fd, number); });
  }
}

void FakeServer::serve_connection(int fd, unsigned number) {
  sigset_t pipe_signal;  // SSL_write raises it when the peer is gone.
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);

  // Ends blocked reads and writes when the server stops.
  const int done_fd = ::eventfd(0, EFD_CLOEXEC);
  std::thread watcher([this, fd, done_fd] {
    std::array<pollfd, 2> events{{{stop_fd_, POLLIN, 0}, {done_fd, POLLIN, 0}}};
    while (::poll(events.data(), events.size(), -1) < 0 && errno == EINTR) {
    }
    if (events[0].revents != 0) ::shutdown(fd, SHUT_RDWR);
  });

  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  SSL* ssl = tls_ ? SSL_new(tls_.get()) : nullptr;
  FakeConnection connection(fd, ssl, stop_fd_);
  if (ssl == nullptr || (SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1)) run_connection(connection, number);
  if (ssl != nullptr) {
    if (!connection.resetting_) SSL_shutdown(ssl);
    SSL_free(ssl);
  }

  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(done_fd, &one, sizeof(one));
  watcher.join();
  ::close(done_fd);
  if (connection.resetting_) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  } else {
    ::shutdown(fd, SHUT_WR);
  }
  ::close(fd);
}

void FakeServer::run_connection(FakeConnection& connection, unsigned number) {
  while (!connection.closing_) {
    std::optional<FakeRequest> request = connection.read_request();
    if (!request) return;
    request->connection = number;
    if (connection.ssl_ != nullptr) {
      request->tls_resumed = SSL_session_reused(connection.ssl_) == 1;
      request->client_certificate = SSL_get0_peer_certificate(connection.ssl_) != nullptr;
    }
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(*request);
    }
    handler_(*request, connection);
    if (same_name(request->header("Connection"), "close")) return;
  }
}

std::uint16_t refused_port() {
  const auto [fd, port] = bind_loopback();
  ::close(fd);
  return port;
}

}  // namespace paceline::test
