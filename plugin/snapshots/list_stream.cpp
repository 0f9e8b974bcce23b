#include "plugin/snapshots/list_stream.h"

namespace paceline::snapshots {
namespace {

constexpr int kPageSize = 100;  // As containerd's own service.

}  // namespace

ListStream* ListStream::start(Snapshotter& snapshotter, WorkerPool& pool, const api::ListSnapshotsRequest& request) {
  auto stream = std::make_shared<ListStream>();
  stream->self_ = stream;
  pool.post(
      [stream, &snapshotter, filters = std::vector<std::string>(request.filters().begin(), request.filters().end())] {
        stream->collect(snapshotter, filters);
      });
  return stream.get();
}

void ListStream::collect(Snapshotter& snapshotter, const std::vector<std::string>& filters) {
  const auto filter = Filter::parse(filters);
  if (!filter) return finish(to_grpc(filter.error()));
  auto all = snapshotter.list(*filter);
  if (!all) return finish(to_grpc(all.error()));
  snapshots_ = std::move(*all);
  next();
}

void ListStream::next() {
  const std::lock_guard lock(mutex_);
  page_.Clear();
  for (; position_ < snapshots_.size() && page_.info_size() < kPageSize; ++position_) {
    set_info(*page_.add_info(), snapshots_[position_]);
  }
  if (finished_) return;
  if (position_ < snapshots_.size()) {
    StartWrite(&page_);
    return;
  }
  finished_ = true;
  if (page_.info_size() > 0) {
    StartWriteAndFinish(&page_, {}, grpc::Status::OK);
  } else {
    Finish(grpc::Status::OK);
  }
}

void ListStream::finish(const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(finished_, true)) Finish(status);
}

void ListStream::OnWriteDone(bool ok) {
  const auto alive = shared_from_this();
  if (ok) {
    next();
  } else {
    finish(grpc::Status::CANCELLED);
  }
}

void ListStream::OnCancel() {
  const auto alive = shared_from_this();
  finish(grpc::Status::CANCELLED);
}

}  // namespace paceline::snapshots
