#include "plugin/mirror/body_pipe.h"

namespace paceline::mirror {

net::Flow BodyPipe::head(const net::ResponseHead& head) {
  const std::lock_guard lock(mutex_);
  head_ = head;
  changed_.notify_all();
  return closed_ ? net::Flow::kAbort : net::Flow::kContinue;
}

net::Flow BodyPipe::push(std::span<const std::byte> data) {
  const std::lock_guard lock(mutex_);
  if (closed_) return net::Flow::kAbort;
  if (!data.empty()) pieces_.emplace_back(reinterpret_cast<const char*>(data.data()), data.size());
  bytes_ += data.size();
  changed_.notify_all();
  if (bytes_ < high_water_) return net::Flow::kContinue;
  paused_ = true;
  return net::Flow::kPause;
}

void BodyPipe::finish(const Status& status) {
  const std::lock_guard lock(mutex_);
  end_ = status;
  changed_.notify_all();
}

Result<net::ResponseHead> BodyPipe::wait_for_head() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return head_ || end_; });
  if (head_) return *head_;
  if (!*end_) return fail(end_->error());
  return fail(Code::kUnavailable, "the upstream closed the connection without an answer");
}

Result<std::string> BodyPipe::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !pieces_.empty() || end_; });
  if (pieces_.empty()) {
    if (!*end_) return fail(end_->error());
    return std::string();
  }
  std::string piece = std::move(pieces_.front());
  pieces_.pop_front();
  bytes_ -= piece.size();
  // At half, so that the writer is not switched on and off for every piece.
  const bool go_on = paused_ && bytes_ <= high_water_ / 2;
  if (go_on) paused_ = false;
  lock.unlock();
  if (go_on) resume_();
  return piece;
}

void BodyPipe::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  pieces_.clear();
  bytes_ = 0;
}

}  // namespace paceline::mirror
