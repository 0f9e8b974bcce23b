// One Read on gRPC's callback interface, made for containerd's unpack: one RPC per 32 KiB.
//
// The response is built by hand, bytes of protobuf around bytes of the file, in the slice that gRPC sends: the file is
// read straight into it. What the page cache holds is read in the reaction (preadv2 with RWF_NOWAIT never waits for the
// disk); anything else in the pool. The last message carries the status with it, so that a short read is one batch.
// Thread rule: as WriteStream. Owns itself until OnDone; a task in the pool owns it too, since a Finish there may bring
// OnDone at once.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "plugin/base/worker_pool.h"
#include "plugin/content/messages.h"
#include "plugin/content/read_timed.h"
#include "plugin/store/store.h"

namespace paceline::content {

class ReadStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                         public std::enable_shared_from_this<ReadStream> {
 public:
  /// Whether the blob's reader has to wait; see ReadGate::hold().
  using Hold = std::function<bool(const Digest&, std::function<void()>)>;
  /// Answers `request`, a ReadContentRequest in wire format. `hold` and `timed` may be empty; `timed` outlives it.
  static ReadStream* start(store::Store& store, WorkerPool& pool, const grpc::ByteBuffer& request, const Hold& hold,
                           const ReadTimed& timed);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  /// No detour of OnDone through another thread: none of the reactions waits for anything.
  bool InternalInlineable() override { return true; }

 private:
  enum class State { kReading, kWriting, kFinished };

  ReadStream(WorkerPool& pool, const ReadTimed& timed) : pool_(pool), timed_(timed) {}
  void begin(store::Store& store, const grpc::ByteBuffer& request, const Hold& hold);
  Status open(store::Store& store, const Digest& digest, const api::ReadContentRequest& request);
  void open_or_finish(store::Store& store, const Digest& digest, const api::ReadContentRequest& request);
  void next();
  void read_rest();
  void send();
  void finish(const grpc::Status& status);

  WorkerPool& pool_;
  const ReadTimed& timed_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::shared_ptr<ReadStream> self_;
  std::shared_ptr<const store::OpenBlob> blob_;
  std::uint64_t position_ = 0;  // In the blob, of the next message.
  std::uint64_t end_ = 0;
  std::uint64_t sent_ = 0;

  grpc_slice slice_{};      // The message being made: header, then data.
  std::size_t header_ = 0;  // Bytes of it.
  std::size_t length_ = 0;  // Bytes of data wanted.
  std::size_t filled_ = 0;  // Bytes of data there.
  grpc::ByteBuffer message_;

  std::mutex mutex_;
  State state_ = State::kReading;
  bool cancelled_ = false;
};

}  // namespace paceline::content
