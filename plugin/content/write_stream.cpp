#include "plugin/content/write_stream.h"

#include <chrono>
#include <utility>

#include "plugin/base/log.h"

namespace paceline::content {
namespace {

// A client that closes a stream and opens the next for the same reference does not wait for us to notice: containerd's
// own store tries for half a second on average. Longer would hold up containerd's metadata transaction.
constexpr std::chrono::milliseconds kRetryFor{500};
constexpr std::chrono::milliseconds kRetryEvery{2};

grpc::Status cancelled() { return {grpc::StatusCode::CANCELLED, "the client went away"}; }

}  // namespace

WriteStream* WriteStream::start(const Backend& backend, Pools pools) {
  const std::shared_ptr<WriteStream> stream(new WriteStream(backend, pools));
  stream->self_ = stream;
  const std::weak_ptr<WriteStream> weak = stream;
  stream->session_.on_abort([weak] {
    if (const auto alive = weak.lock()) alive->abort();
  });
  stream->StartRead(&stream->request_);
  return stream.get();
}

WriteStream::WriteStream(const Backend& backend, Pools pools) : backend_(backend), pools_(pools), session_(backend) {}

void WriteStream::OnReadDone(bool ok) {
  Lock lock(mutex_);
  if (state_ != State::kReading) return;
  if (!ok) {
    end(lock, grpc::Status::OK, /*discard=*/false);
    return;
  }
  state_ = State::kWorking;
  lock.unlock();

  response_.Clear();
  auto outcome = session_.handle_in_memory(request_, response_);
  if (!outcome) {
    post();
    return;
  }
  lock.lock();
  settle(lock, std::move(*outcome));
}

void WriteStream::post() {
  auto& pool = session_.is_quick(request_) ? pools_.control : pools_.bulk;
  pool.post([self = shared_from_this()] { self->handle(); });
}

void WriteStream::handle() {
  const bool last_try = retry_until_ && backend_.clock.now() >= *retry_until_;
  auto outcome = session_.handle(request_, response_, last_try);
  Lock lock(mutex_);
  settle(lock, std::move(outcome));
}

/// The session is done with the request (state kWorking): what now?
void WriteStream::settle(Lock& lock, Result<WriteSession::Outcome> outcome) {
  if (interrupted_) {
    end(lock, *interrupted_, discard_);
    return;
  }
  if (!outcome) {
    const auto& error = outcome.error();
    if (error.code != Code::kAlreadyExists && error.code != Code::kUnavailable) {
      spdlog::warn("content write: {}", error.to_string());
    }
    end(lock, to_grpc(error), /*discard=*/false);
    return;
  }
  switch (*outcome) {
    case WriteSession::Outcome::kAnswer:
      retry_until_.reset();
      state_ = State::kWriting;
      StartWrite(&response_);
      return;
    case WriteSession::Outcome::kAnswerAndEnd:
      state_ = State::kFinished;
      StartWriteAndFinish(&response_, {}, grpc::Status::OK);
      return;
    case WriteSession::Outcome::kHold:
      hold(lock);
      return;
    case WriteSession::Outcome::kRetry:
      retry_later();
      return;
  }
}

void WriteStream::hold(Lock& lock) {
  state_ = State::kHeld;
  wait_ = backend_.flights.wait(session_.digest(), [weak = weak_from_this()](const Status& landed) {
    const auto self = weak.lock();
    if (!self) return;
    Lock lock(self->mutex_);
    if (self->state_ != State::kHeld) return;
    self->state_ = State::kWorking;
    self->wait_.reset();
    lock.unlock();
    if (!landed) self->session_.flight_failed();
    self->post();
  });
  if (wait_) return;
  state_ = State::kWorking;  // It has landed in between.
  lock.unlock();
  post();
}

void WriteStream::retry_later() {
  if (!retry_until_) retry_until_ = backend_.clock.now() + kRetryFor;
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_->Set(std::chrono::system_clock::now() + kRetryEvery, [weak = weak_from_this()](bool) {
    if (const auto self = weak.lock()) self->post();  // Weakly: the alarm, which keeps this call, is ours.
  });
}

void WriteStream::OnWriteDone(bool ok) {
  Lock lock(mutex_);
  if (state_ != State::kWriting) return;
  if (!ok || interrupted_) {
    end(lock, interrupted_.value_or(cancelled()), discard_);
    return;
  }
  state_ = State::kReading;
  StartRead(&request_);
}

void WriteStream::OnCancel() {
  Lock lock(mutex_);
  interrupt(lock, cancelled(), /*discard=*/false);
}

void WriteStream::abort() {
  Lock lock(mutex_);
  interrupt(lock, {grpc::StatusCode::ABORTED, "the write was aborted"}, /*discard=*/true);
}

void WriteStream::interrupt(Lock& lock, grpc::Status status, bool discard) {
  // A write under way to a client that is there ends by itself; to one that is gone it may hang, so it is not waited
  // for.
  const bool can_end = state_ == State::kReading || state_ == State::kHeld ||
                       (state_ == State::kWriting && status.error_code() == grpc::StatusCode::CANCELLED);
  if (state_ == State::kFinished) return;
  if (can_end) {
    end(lock, std::move(status), discard || discard_);
    return;
  }
  discard_ = discard_ || discard;
  interrupted_ = std::move(status);
}

/// Gives the reference back, which may touch the disk, and only then tells the client: it may open the next stream at
/// once.
void WriteStream::end(Lock& lock, grpc::Status status, bool discard) {
  state_ = State::kFinished;
  if (wait_) backend_.flights.cancel(*std::exchange(wait_, std::nullopt));
  lock.unlock();
  pools_.control.post([self = shared_from_this(), status = std::move(status), discard] {
    self->session_.close(discard);
    self->Finish(status);
  });
}

void WriteStream::OnDone() {
  const auto last = std::move(self_);  // Destroys the stream, unless a late callback holds it.
}

}  // namespace paceline::content
