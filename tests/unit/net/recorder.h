// Runs one transfer on a network thread and waits for its end, for tests.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "plugin/net/network_thread.h"

namespace paceline::net {

/// What a transfer's handler saw.
struct Recording {
  int heads = 0;
  ResponseHead head;
  std::string body;
  TransferEnd end;
};

/// Answers of the handler; each absent one goes on.
struct Script {
  std::function<Flow(const ResponseHead&)> on_head = {};
  std::function<Flow(std::span<const std::byte>)> on_body = {};
  std::function<void(const TransferEnd&)> on_done = {};
  bool keep_body = true;
};

class Recorder final : public TransferHandler {
 public:
  Recorder(Script script, std::promise<Recording> done) : script_(std::move(script)), done_(std::move(done)) {}

  Flow on_head(const ResponseHead& head) override {
    ++recording_.heads;
    recording_.head = head;
    return script_.on_head ? script_.on_head(head) : Flow::kContinue;
  }
  Flow on_body(std::span<const std::byte> data) override {
    if (script_.keep_body) recording_.body.append(reinterpret_cast<const char*>(data.data()), data.size());
    return script_.on_body ? script_.on_body(data) : Flow::kContinue;
  }
  void on_done(const TransferEnd& end) override {
    recording_.end = end;
    if (script_.on_done) script_.on_done(end);
    done_.set_value(std::move(recording_));  // A second call would throw: exactly once.
  }

 private:
  Script script_;
  std::promise<Recording> done_;
  Recording recording_;
};

/// On the network thread.
inline std::pair<TransferId, std::future<Recording>> begin(NetworkThread& thread, const HttpRequest& request,
                                                           Script script = {}) {
  std::promise<Recording> promise;
  std::future<Recording> future = promise.get_future();
  const TransferId id = thread.start(request, std::make_unique<Recorder>(std::move(script), std::move(promise)));
  return {id, std::move(future)};
}

/// Calls `work` on the network thread and waits for its result. From a test's thread.
template <class Work>
auto on_thread(NetworkThread& thread, Work work) {
  using Value = decltype(work());
  std::promise<Value> promise;
  thread.post([&] {
    if constexpr (std::is_void_v<Value>) {
      work();
      promise.set_value();
    } else {
      promise.set_value(work());
    }
  });
  return promise.get_future().get();
}

/// Starts a transfer from a test's thread; the future is its end.
inline std::future<Recording> launch(NetworkThread& thread, const HttpRequest& request, Script script = {}) {
  return on_thread(thread, [&] { return begin(thread, request, std::move(script)).second; });
}

inline Recording run(NetworkThread& thread, const HttpRequest& request, Script script = {}) {
  return launch(thread, request, std::move(script)).get();
}

inline HttpRequest get(std::string url) {
  HttpRequest request;
  request.url = std::move(url);
  request.http1 = true;
  return request;
}

}  // namespace paceline::net
