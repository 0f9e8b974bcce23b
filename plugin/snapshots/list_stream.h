// The answer to List: the snapshots that match, a hundred a message, as they were at one moment.
// Thread rule: start() and reactions from gRPC, the listing itself in the pool. Owns itself until OnDone; the task in
// the pool owns it too, since a Finish there may bring OnDone at once.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "plugin/base/worker_pool.h"
#include "plugin/snapshots/messages.h"
#include "plugin/snapshots/snapshotter.h"

namespace paceline::snapshots {

class ListStream final : public grpc::ServerWriteReactor<api::ListSnapshotsResponse>,
                         public std::enable_shared_from_this<ListStream> {
 public:
  static ListStream* start(Snapshotter& snapshotter, WorkerPool& pool, const api::ListSnapshotsRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { const auto last = std::move(self_); }

 private:
  void collect(Snapshotter& snapshotter, const std::vector<std::string>& filters);
  void next();
  void finish(const grpc::Status& status);

  std::shared_ptr<ListStream> self_;
  std::vector<Info> snapshots_;
  std::size_t position_ = 0;
  api::ListSnapshotsResponse page_;

  std::mutex mutex_;
  bool finished_ = false;
};

}  // namespace paceline::snapshots
