#include "plugin/mirror/forward.h"

#include <array>
#include <charconv>

#include "plugin/mirror/body_pipe.h"
#include "plugin/net/url.h"

namespace paceline::mirror {
namespace {

// What makes a pull resumable and conditional, and who asks: a registry's log shows what containerd fetched itself.
// Authorization comes from the repository.
constexpr std::array kRequestFields = {"Accept",   "User-Agent",    "Range",
                                       "If-Range", "If-None-Match", "If-Modified-Since"};

constexpr std::array kResponseFields = {"Accept-Ranges",
                                        "Cache-Control",
                                        "Content-Encoding",
                                        "Content-Range",
                                        "Content-Type",
                                        "Date",
                                        "ETag",
                                        "Last-Modified",
                                        "Link",
                                        "Docker-Content-Digest",
                                        "Retry-After",
                                        "Warning",
                                        "WWW-Authenticate",
                                        "OCI-Filters-Applied",
                                        "Docker-Distribution-Api-Version"};

/// A transfer and the way to its pipe. Shared by its handler and its reader.
class Transfer : public std::enable_shared_from_this<Transfer> {
 public:
  explicit Transfer(net::NetworkThread& network)
      : network_(network), pipe_([this] { on_network([](auto& net, auto id) { net.resume(id); }); }) {}

  void start(net::HttpRequest request);
  void end() {
    pipe_.close();
    on_network([](auto& net, auto id) { net.cancel(id); });
  }
  BodyPipe& pipe() { return pipe_; }

 private:
  // Runs `action` on the network thread, behind the start of the transfer.
  void on_network(void (*action)(net::NetworkThread&, net::TransferId)) {
    network_.post([self = shared_from_this(), action] { action(self->network_, self->id_); });
  }

  net::NetworkThread& network_;
  BodyPipe pipe_;
  net::TransferId id_ = 0;  // Network thread only.
};

class PipeHandler final : public net::TransferHandler {
 public:
  explicit PipeHandler(std::shared_ptr<Transfer> transfer) : transfer_(std::move(transfer)) {}
  net::Flow on_head(const net::ResponseHead& head) override { return transfer_->pipe().head(head); }
  net::Flow on_body(std::span<const std::byte> data) override { return transfer_->pipe().push(data); }
  void on_done(const net::TransferEnd& end) override { transfer_->pipe().finish(end.status); }

 private:
  std::shared_ptr<Transfer> transfer_;
};

void Transfer::start(net::HttpRequest request) {
  network_.post([self = shared_from_this(), request = std::move(request)] {
    self->id_ = self->network_.start(request, std::make_unique<PipeHandler>(self));
  });
}

class PipeSource final : public BodySource {
 public:
  explicit PipeSource(std::shared_ptr<Transfer> transfer) : transfer_(std::move(transfer)) {}
  ~PipeSource() override { transfer_->end(); }
  Result<std::string> next() override { return transfer_->pipe().next(); }

 private:
  std::shared_ptr<Transfer> transfer_;
};

std::optional<std::uint64_t> content_length(const net::Headers& headers) {
  const auto text = headers.get("Content-Length");
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return length;
}

Result<Response> ask(net::NetworkThread& network, net::HttpRequest upstream) {
  const bool head_only = upstream.method == "HEAD";
  const std::string url = upstream.url;
  const auto transfer = std::make_shared<Transfer>(network);
  auto source = std::make_unique<PipeSource>(transfer);
  transfer->start(std::move(upstream));
  const auto head = transfer->pipe().wait_for_head();
  if (!head) return fail(head.error().context(net::redact(url)));

  Response response;
  response.status = head->status;
  copy_end_to_end(head->headers, response.headers);
  // The client follows a redirect itself, and drops its Authorization on the way: the blob host gets none.
  if (const auto location = head->headers.get("Location"); !location.empty()) {
    auto absolute = net::resolve_redirect(url, location);
    if (!absolute) return fail(absolute.error().context(net::redact(url)));
    response.headers.set("Location", std::move(*absolute));
  }
  response.length = content_length(head->headers);
  const bool no_body = head_only || head->status == 204 || head->status == 304;
  if (!no_body) response.source = std::move(source);
  return response;
}

}  // namespace

void copy_end_to_end(const net::Headers& from, net::Headers& to) {
  for (const auto* name : kResponseFields) {
    for (const auto value : from.all(name)) to.add(name, std::string(value));
  }
}

Result<Response> forward(net::NetworkThread& network, registry::Repository& repository, const Request& request,
                         const std::string& path, const ForwardLimits& limits) {
  Result<Response> answer = fail(Code::kUnavailable, repository.registry() + " has no endpoint");
  const std::size_t endpoints = repository.endpoints();
  for (std::size_t i = 0; i < endpoints; ++i) {
    auto upstream = repository.request(request.method, path, i);
    if (!upstream) {
      if (!answer) answer = fail(upstream.error());
      continue;
    }
    for (const auto* name : kRequestFields) {
      if (const auto value = request.headers.get(name); !value.empty()) upstream->headers.set(name, std::string(value));
    }
    upstream->http1 = true;
    upstream->stall_bytes = limits.stall_bytes;
    upstream->stall_window = limits.stall_window;
    auto next = ask(network, std::move(*upstream));
    // An answer in words is worth more than a connection that failed; the last is the registry's own.
    if (next || !answer) answer = std::move(next);
    if (answer && answer->status < 400) break;
  }
  return answer;
}

}  // namespace paceline::mirror
