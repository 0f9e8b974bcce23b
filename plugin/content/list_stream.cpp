#include "plugin/content/list_stream.h"

#include <utility>

namespace paceline::content {
namespace {

constexpr int kPageSize = 100;  // As containerd's own service.

}  // namespace

ListStream* ListStream::start(const store::Store& store, const api::ListContentRequest& request) {
  auto* stream = new ListStream(store);  // OnDone deletes it.
  auto filter = parse_filters(request.filters());
  if (!filter) {
    stream->finish(to_grpc(filter.error()));
    return stream;
  }
  stream->filter_ = std::move(*filter);
  // Hidden blobs are not listed: containerd's garbage collection deletes whatever it sees here and does not know.
  stream->blobs_ = store.list(store::Visibility::kListed);
  stream->next();
  return stream;
}

void ListStream::next() {
  const std::lock_guard lock(mutex_);
  page_.Clear();
  for (; position_ < blobs_.size() && page_.info_size() < kPageSize; ++position_) {
    const auto& blob = blobs_[position_];
    const auto labels = store_.labels(blob.digest);
    if (matches(filter_, blob, labels)) set_info(*page_.add_info(), blob, labels);
  }
  if (finished_) return;
  if (position_ < blobs_.size()) {
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
  if (ok) {
    next();
  } else {
    finish(grpc::Status::CANCELLED);
  }
}

void ListStream::OnCancel() { finish(grpc::Status::CANCELLED); }

}  // namespace paceline::content
