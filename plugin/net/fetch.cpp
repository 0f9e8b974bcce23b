// NetworkThread::fetch: one small response, for callers that may block (tokens, manifests).
#include <charconv>
#include <future>
#include <optional>
#include <string>
#include <utility>

#include "plugin/base/text.h"
#include "plugin/net/network_thread.h"
#include "plugin/net/url.h"

namespace paceline::net {
namespace {

/// Nobody waits longer than this for a token or a manifest; containerd's own clients give up sooner.
constexpr Duration kDefaultTotalTimeout = std::chrono::seconds(60);

class FetchHandler final : public TransferHandler {
 public:
  FetchHandler(std::promise<Result<HttpResponse>> result, std::string what, bool has_body, std::size_t body_limit)
      : result_(std::move(result)), what_(std::move(what)), has_body_(has_body), body_limit_(body_limit) {}

  Flow on_head(const ResponseHead& head) override {
    response_.status = head.status;
    response_.headers = head.headers;
    const std::string_view announced = head.headers.get("Content-Length");
    std::uint64_t length = 0;  // The network thread has checked the form.
    std::from_chars(announced.data(), announced.data() + announced.size(), length);
    return has_body_ && length > body_limit_ ? refuse() : Flow::kContinue;
  }

  Flow on_body(std::span<const std::byte> data) override {
    if (data.size() > body_limit_ - response_.body.size()) return refuse();
    response_.body.append(reinterpret_cast<const char*>(data.data()), data.size());
    return Flow::kContinue;
  }

  void on_done(const TransferEnd& end) override {
    if (refused_) {
      result_.set_value(fail(Code::kResourceExhausted,
                             what_ + ": answer larger than the " + format_bytes(body_limit_) + " allowed here"));
    } else if (!end.status) {
      result_.set_value(fail(end.status.error()));
    } else {
      result_.set_value(std::move(response_));
    }
  }

 private:
  Flow refuse() {
    refused_ = true;
    return Flow::kAbort;
  }

  std::promise<Result<HttpResponse>> result_;
  std::string what_;
  bool has_body_;
  std::size_t body_limit_;
  HttpResponse response_;
  bool refused_ = false;
};

}  // namespace

Result<HttpResponse> NetworkThread::fetch(HttpRequest request, std::size_t body_limit) {
  if (on_network_thread()) return fail(Code::kInternal, "fetch() would block the network thread");
  if (request.total_timeout <= Duration::zero()) request.total_timeout = kDefaultTotalTimeout;

  std::promise<Result<HttpResponse>> promise;
  std::future<Result<HttpResponse>> future = promise.get_future();
  auto handler = std::make_unique<FetchHandler>(std::move(promise), request.method + " " + redact(request.url),
                                                request.method != "HEAD", body_limit);
  // std::function copies what it holds, so the handler travels as a shared box that is emptied once.
  auto box = std::make_shared<std::unique_ptr<TransferHandler>>(std::move(handler));
  post([this, box = std::move(box), request = std::move(request)] { start(request, std::move(*box)); });
  try {
    return future.get();
  } catch (const std::future_error&) {  // The thread went away with the work.
    return fail(Code::kCancelled, "the network thread stops");
  }
}

}  // namespace paceline::net
