// One Write stream on gRPC's callback interface: reads a request, has the session handle it, sends the answer.
//
// Thread rule: reactions, flight landings, timers and aborts come from any thread and meet under the mutex; the session
// is touched by one of them at a time, the one that moved the state to kWorking. Nothing blocks in a reaction: what
// needs the disk runs in the pools. The stream owns itself until OnDone; callbacks that may come late hold it weakly or
// find it finished.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <mutex>
#include <optional>

#include "plugin/base/worker_pool.h"
#include "plugin/content/write_session.h"

namespace paceline::content {

/// Two pools, so that an answer which containerd waits for inside its metadata transaction (the first STAT, the COMMIT
/// of a fetched blob, Info) never queues behind bulk data. What goes into `control` is a rename or a small file.
struct Pools {
  WorkerPool& control;
  WorkerPool& bulk;
};

class WriteStream final : public grpc::ServerBidiReactor<api::WriteContentRequest, api::WriteContentResponse>,
                          public std::enable_shared_from_this<WriteStream> {
 public:
  static WriteStream* start(const Backend& backend, Pools pools);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  enum class State {
    kReading,   // Waits for a request.
    kWorking,   // A thread handles the request.
    kHeld,      // The answer waits for a flight.
    kWriting,   // The answer is on its way.
    kFinished,  // The status is sent, or the last task before it runs.
  };
  using Lock = std::unique_lock<std::mutex>;

  WriteStream(const Backend& backend, Pools pools);

  void abort();
  void post();
  void handle();
  void settle(Lock& lock, Result<WriteSession::Outcome> outcome);
  void hold(Lock& lock);
  void retry_later();
  void end(Lock& lock, grpc::Status status, bool discard);
  void interrupt(Lock& lock, grpc::Status status, bool discard);

  const Backend backend_;
  const Pools pools_;
  std::shared_ptr<WriteStream> self_;

  std::mutex mutex_;
  State state_ = State::kReading;
  std::optional<grpc::Status> interrupted_;  // Cancelled or aborted while another thread was at work.
  bool discard_ = false;
  std::optional<pull::WaitId> wait_;
  std::unique_ptr<grpc::Alarm> alarm_;
  std::optional<TimePoint> retry_until_;

  // Touched by the thread at work only.
  WriteSession session_;
  api::WriteContentRequest request_;
  api::WriteContentResponse response_;
};

}  // namespace paceline::content
