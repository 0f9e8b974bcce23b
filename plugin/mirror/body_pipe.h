// Carries one upstream response from the network thread to the connection that answers it, with bounded memory: above
// the high-water mark the transfer is paused, so that TCP slows the upstream down to the client's speed.
//
// One writer (the network thread: head, push, finish), one reader (wait_for_head, next, close). Shared by both.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "plugin/base/result.h"
#include "plugin/net/http.h"
#include "plugin/net/network_thread.h"

namespace paceline::mirror {

class BodyPipe {
 public:
  /// `resume` is called by the reader, under no lock, when a paused writer may go on.
  explicit BodyPipe(std::function<void()> resume, std::size_t high_water = 1U << 20U)
      : resume_(std::move(resume)), high_water_(high_water) {}

  net::Flow head(const net::ResponseHead& head);
  net::Flow push(std::span<const std::byte> data);
  void finish(const Status& status);

  /// Blocks until the response's head is there, or the transfer ended without one.
  Result<net::ResponseHead> wait_for_head();
  /// The next piece, empty at the end; blocks.
  Result<std::string> next();
  /// The reader is gone: the writer is told to stop with its next call.
  void close();

 private:
  const std::function<void()> resume_;
  const std::size_t high_water_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<net::ResponseHead> head_;
  std::deque<std::string> pieces_;
  std::size_t bytes_ = 0;
  bool paused_ = false;
  bool closed_ = false;
  std::optional<Status> end_;
};

}  // namespace paceline::mirror
