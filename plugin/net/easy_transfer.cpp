#include "plugin/net/easy_transfer.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "plugin/net/proxy.h"
#include "plugin/net/tls.h"
#include "plugin/net/transfer_error.h"
#include "plugin/net/url.h"

namespace paceline::net {
namespace {

// Idle connections outlive most registries' keep-alive (nginx 75 s); probes notice a dead NAT entry before that.
constexpr long kKeepAliveIdleSeconds = 30;
constexpr long kKeepAliveIntervalSeconds = 10;

/// RFC 9110 §5.6.2: what methods and field names are made of.
bool is_token(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kOthers.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

long milliseconds(Duration duration) {
  const auto count = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<long>(std::clamp<std::int64_t>(count, 1, std::numeric_limits<int>::max()));
}

Duration microseconds(CURL* easy, CURLINFO what) {
  curl_off_t value = 0;
  curl_easy_getinfo(easy, what, &value);
  return std::chrono::microseconds(value);
}

/// Absent is fine; what cannot be a file's size is not.
Status check_content_length(const Headers& headers) {
  for (const std::string_view text : headers.all("Content-Length")) {
    std::int64_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    if (error != std::errc() || end != text.data() + text.size() || length < 0) {
      return fail(Code::kUnavailable, "impossible Content-Length in the answer");
    }
  }
  return {};
}

}  // namespace

EasyTransfer::EasyTransfer(TransferId id, const HttpRequest& request, std::unique_ptr<TransferHandler> handler,
                           const TransferEnvironment& environment)
    : id_(id), easy_(curl_easy_init()), handler_(std::move(handler)), sockets_(environment.sockets) {
  what_ = (is_token(request.method) ? request.method : "(malformed method)") + " " + redact(request.url);
  prepared_ = prepare(request, environment);
  if (!prepared_) prepared_ = fail(prepared_.error().context(what_));
}

EasyTransfer::~EasyTransfer() { curl_easy_cleanup(easy_); }

Status EasyTransfer::prepare(const HttpRequest& request, const TransferEnvironment& environment) {
  if (easy_ == nullptr) return fail(Code::kResourceExhausted, "out of memory");
  if (!is_token(request.method)) return fail(Code::kInvalidArgument, "malformed method");
  Result<std::string> key = host_key(request.url);
  if (!key) return fail(std::move(key.error()));
  host_key_ = *std::move(key);

  if (Status headers = set_headers(request); !headers) return headers;
  set_method(request);
  set_connection(request, environment);
  set_callbacks();
  if (request.stall_window > Duration::zero() && request.stall_bytes > 0) {
    stall_watch_.emplace(request.stall_bytes, request.stall_window);
  }
  return set_tls(easy_, request.tls, environment.options.ca_bundle);
}

Status EasyTransfer::set_headers(const HttpRequest& request) {
  const auto append = [this](const std::string& line) {
    curl_slist* list = curl_slist_append(request_headers_.get(), line.c_str());
    if (list == nullptr) return false;
    static_cast<void>(request_headers_.release());
    request_headers_.reset(list);
    return true;
  };
  bool good = append("Expect:");  // No waiting for "100 Continue" before a large token request.
  for (const Header& header : request.headers.fields()) {
    if (!is_token(header.name) || !is_field_value(header.value)) {
      return fail(Code::kInvalidArgument, "malformed request header");  // Not quoted: it may hold a token.
    }
    // "Name;" is libcurl's way of sending an empty value; "Name:" would drop the header.
    good = good && append(header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
  }
  if (!good) return fail(Code::kResourceExhausted, "out of memory");
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, request_headers_.get());
  return {};
}

void EasyTransfer::set_method(const HttpRequest& request) {
  if (request.method == "POST" || !request.body.empty()) {
    request_body_ = request.body;
    curl_easy_setopt(easy_, CURLOPT_POST, 1L);
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request_body_.data());  // Borrowed.
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_body_.size()));
    if (request.method != "POST") curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else if (request.method == "HEAD") {
    curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET") {
    curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

void EasyTransfer::set_connection(const HttpRequest& request, const TransferEnvironment& environment) {
  const NetworkOptions& options = environment.options;
  curl_easy_setopt(easy_, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION,
                   static_cast<long>(request.http1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy_, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, options.user_agent.c_str());

  // Set even when empty: otherwise libcurl looks into the environment itself.
  curl_easy_setopt(easy_, CURLOPT_PROXY, proxy_for(options, request.url).c_str());
  curl_easy_setopt(easy_, CURLOPT_NOPROXY, options.no_proxy.c_str());
  curl_easy_setopt(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);

  curl_easy_setopt(easy_, CURLOPT_SHARE, environment.share);
  curl_easy_setopt(easy_, CURLOPT_BUFFERSIZE, static_cast<long>(options.receive_buffer));
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  // Without this, ending a transfer whose name lookup hangs blocks the thread until the resolver gives up.
  curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy_, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy_, CURLOPT_TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  curl_easy_setopt(easy_, CURLOPT_TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.connect_timeout));
  if (request.total_timeout > Duration::zero()) {
    curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, milliseconds(request.total_timeout));
  }
}

void EasyTransfer::set_callbacks() {
  curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_text_.data());
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &header_callback);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &body_callback);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy_, CURLOPT_PREREQFUNCTION, &request_callback);
  curl_easy_setopt(easy_, CURLOPT_PREREQDATA, this);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETFUNCTION, &open_callback);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETDATA, this);
  // A connection outlives the transfer that opened it: its end is told to the tracker itself.
  curl_easy_setopt(easy_, CURLOPT_CLOSESOCKETFUNCTION, &close_callback);
  curl_easy_setopt(easy_, CURLOPT_CLOSESOCKETDATA, &sockets_);
}

bool EasyTransfer::stalled() { return requested_ && !paused_ && stall_watch_ && stall_watch_->tick(body_bytes_); }

CURLcode EasyTransfer::resume() {
  if (!std::exchange(paused_, false)) return CURLE_OK;
  // A pause is no stall: the next window starts now.
  if (stall_watch_) stall_watch_->restart(body_bytes_);
  return curl_easy_pause(easy_, CURLPAUSE_CONT);
}

Status EasyTransfer::outcome(CURLcode code) const {
  if (aborted_) return fail(Code::kCancelled, what_ + ": ended by its receiver");
  if (interrupted_) return fail(Code::kCancelled, what_ + ": cancelled");
  if (!own_failure_) return own_failure_;
  if (code != CURLE_OK) return fail(transfer_error(code, what_, error_text_.data()));
  if (!head_.complete()) return fail(Code::kUnavailable, what_ + ": connection closed before the answer");
  return {};
}

void EasyTransfer::finish(Status status) {
  const std::unique_ptr<TransferHandler> handler = std::move(handler_);
  TransferEnd end = measure();
  end.status = std::move(status);
  handler->on_done(end);
}

TransferEnd EasyTransfer::measure() const {
  TransferEnd end;
  end.aborted = aborted_;
  end.body_bytes = body_bytes_;
  end.total = std::chrono::steady_clock::now() - started_;
  if (!requested_) return end;

  const Duration resolved = microseconds(easy_, CURLINFO_NAMELOOKUP_TIME_T);
  const Duration connected = microseconds(easy_, CURLINFO_CONNECT_TIME_T);
  const Duration secured = microseconds(easy_, CURLINFO_APPCONNECT_TIME_T);
  const Duration sent = microseconds(easy_, CURLINFO_PRETRANSFER_TIME_T);
  const Duration first_byte = microseconds(easy_, CURLINFO_STARTTRANSFER_TIME_T);
  long new_connections = 0;
  curl_easy_getinfo(easy_, CURLINFO_NUM_CONNECTS, &new_connections);
  end.reused = new_connections == 0;
  if (!end.reused && connected > resolved) end.connect = connected - resolved;
  if (!end.reused && secured > connected) end.tls = secured - connected;
  if (first_byte > sent) end.first_byte = first_byte - sent;
  return end;
}

std::size_t EasyTransfer::header_callback(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<EasyTransfer*>(self)->receive_head_line({data, size * count}) ? size * count : 0;
}

std::size_t EasyTransfer::body_callback(char* data, std::size_t size, std::size_t count, void* self) {
  const std::span<const char> bytes(data, size * count);
  return static_cast<EasyTransfer*>(self)->receive_body(std::as_bytes(bytes));
}

curl_socket_t EasyTransfer::open_callback(void* self, curlsocktype /*purpose*/, curl_sockaddr* address) {
  auto* transfer = static_cast<EasyTransfer*>(self);
  return transfer->sockets_.open(transfer->host_key_, *address);
}

int EasyTransfer::close_callback(void* tracker, curl_socket_t socket) {
  static_cast<SocketTracker*>(tracker)->close(socket);
  return 0;
}

int EasyTransfer::request_callback(void* self, char* /*remote_ip*/, char* /*local_ip*/, int /*remote_port*/,
                                   int /*local_port*/) {
  static_cast<EasyTransfer*>(self)->requested_ = true;
  return CURL_PREREQFUNC_OK;
}

bool EasyTransfer::receive_head_line(std::string_view line) {
  if (!handler_) return false;
  const Result<bool> complete = head_.line(line);
  if (!complete) {
    own_failure_ = fail(complete.error().context(what_));
    return false;
  }
  if (!*complete) return true;
  if (Status length = check_content_length(head_.head().headers); !length) {
    own_failure_ = fail(length.error().context(what_));
    return false;
  }
  return call_handler([this] { return handler_->on_head(head_.head()); });
}

std::size_t EasyTransfer::receive_body(std::span<const std::byte> data) {
  if (!handler_) return 0;
  // The handler took what it was given before it paused; libcurl keeps this for later and reads no further.
  if (paused_) return CURL_WRITEFUNC_PAUSE;
  body_bytes_ += data.size();
  return call_handler([this, data] { return handler_->on_body(data); }) ? data.size() : 0;
}

template <class Call>
bool EasyTransfer::call_handler(Call call) {
  in_handler_ = true;
  const Flow flow = call();
  in_handler_ = false;
  aborted_ = flow == Flow::kAbort;
  paused_ = flow == Flow::kPause;
  return !aborted_ && !interrupted_;
}

}  // namespace paceline::net
