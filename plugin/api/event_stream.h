// The sending half of a server-streaming call: queue events from any thread; they leave one at a time.
//
// Thread rule: any thread; no call blocks. Made with std::make_shared, then opened: from there it keeps itself alive
// until gRPC is done with it, so a producer may hold it as long as it likes. The queue is as long as the producer makes
// it: look at idle() or bound what is pushed.
//
// gRPC may run a reaction inside StartWrite() or Finish(), and allows no StartWrite() after Finish(). Therefore neither
// is called under the mutex, and only one thread at a time is in pump().
#pragma once

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace paceline::api {

template <class Event>
class EventStream : public grpc::ServerWriteReactor<Event>, public std::enable_shared_from_this<EventStream<Event>> {
 public:
  /// Why a call ended: closed from here, or the client went away first.
  enum class End { kClosed, kClientGone };

  /// `on_end` runs once when the call is over; it must not block.
  EventStream* open(std::function<void(End)> on_end = {}) {
    self_ = this->shared_from_this();
    on_end_ = std::move(on_end);
    return this;
  }

  /// False when the call is over or closing.
  bool push(Event event) {
    {
      const std::lock_guard lock(mutex_);
      if (cancelled_ || finished_ || closing_) return false;
      queue_.push_back(std::move(event));
    }
    pump();
    return true;
  }

  /// Ends the call with `status` after what is queued.
  void close(grpc::Status status) {
    {
      const std::lock_guard lock(mutex_);
      if (!closing_) closing_ = std::move(status);
    }
    pump();
  }

  /// Nothing waits to be sent.
  [[nodiscard]] bool idle() const {
    const std::lock_guard lock(mutex_);
    return queue_.empty() && !writing_;
  }

  /// The client has gone, or the call is closed: no event will be taken any more.
  [[nodiscard]] bool over() const {
    const std::lock_guard lock(mutex_);
    return cancelled_ || finished_ || closing_.has_value();
  }

  void OnWriteDone(bool ok) override {
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      if (!ok) cancelled_ = true;
    }
    pump();
  }

  void OnCancel() override {
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
    }
    pump();
  }

  void OnDone() override {
    const auto last = std::move(self_);
    if (!on_end_) return;
    std::unique_lock lock(mutex_);
    const End end = closing_ ? End::kClosed : End::kClientGone;
    lock.unlock();
    std::exchange(on_end_, nullptr)(end);
  }

 private:
  void pump() {
    const auto alive = this->shared_from_this();
    std::unique_lock lock(mutex_);
    if (pumping_) return;  // The thread that is in there looks at the state again before it leaves.
    pumping_ = true;
    while (!finished_) {
      // A write to a client that has gone may never be reported done: a cancelled call does not wait for it.
      if (cancelled_ || (closing_ && queue_.empty() && !writing_)) {
        finished_ = true;
        grpc::Status status = cancelled_ ? grpc::Status::CANCELLED : *closing_;
        lock.unlock();
        this->Finish(std::move(status));
        lock.lock();
      } else if (!queue_.empty() && !writing_) {
        writing_ = true;
        current_ = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        this->StartWrite(&current_);
        lock.lock();
      } else {
        break;
      }
    }
    pumping_ = false;
  }

  mutable std::mutex mutex_;
  std::deque<Event> queue_;
  Event current_;  // Lives while it is being written.
  bool writing_ = false;
  bool pumping_ = false;
  bool cancelled_ = false;
  bool finished_ = false;
  std::optional<grpc::Status> closing_;
  std::function<void(End)> on_end_;
  std::shared_ptr<EventStream> self_;
};

}  // namespace paceline::api
