#include "plugin/layers/growing_source.h"

#include <algorithm>
#include <utility>

#include "plugin/base/files.h"

namespace paceline::layers {

GrowingSource::GrowingSource(store::Store& store, pull::FlightTable& flights, const Digest& digest,
                             std::stop_token stop)
    : store_(store), flights_(flights), digest_(digest), stop_(std::move(stop)) {}

GrowingSource::~GrowingSource() {
  if (wait_) flights_.cancel(*wait_);
}

Result<std::unique_ptr<GrowingSource>> GrowingSource::open(store::Store& store, pull::FlightTable& flights,
                                                           const Digest& digest, std::stop_token stop) {
  std::unique_ptr<GrowingSource> source(new GrowingSource(store, flights, digest, std::move(stop)));
  if (source->follow()) return source;
  auto blob = store.open_blob(digest);
  if (!blob) return fail(blob.error());
  source->blob_ = std::move(*blob);
  source->progress_->landed.emplace();
  return source;
}

bool GrowingSource::follow() {
  wait_ = flights_.follow(
      digest_,
      [progress = progress_](std::uint64_t prefix) {
        const std::lock_guard lock(progress->mutex);
        progress->began_anew = progress->began_anew || prefix < progress->prefix;
        progress->prefix = prefix;
        progress->changed.notify_all();
      },
      [progress = progress_](const Status& outcome) {
        const std::lock_guard lock(progress->mutex);
        progress->landed = outcome;
        progress->changed.notify_all();
      });
  if (!wait_) return false;
  // What was there before the first call. A call that came in between knows better.
  if (const auto view = flights_.find(digest_)) {
    const std::lock_guard lock(progress_->mutex);
    if (progress_->prefix == 0) progress_->prefix = view->prefix;
  }
  return true;
}

bool GrowingSource::is_ready(std::uint64_t offset) const {
  const std::lock_guard lock(progress_->mutex);
  return progress_->beyond(offset);
}

Result<std::uint64_t> GrowingSource::wait_beyond(std::uint64_t offset) {
  std::unique_lock lock(progress_->mutex);
  progress_->changed.wait(lock, stop_, [&] { return progress_->beyond(offset); });
  if (stop_.stop_requested()) return fail(Code::kCancelled, "given up");
  if (progress_->landed && !*progress_->landed) return fail(progress_->landed->error());
  if (progress_->began_anew) return fail(Code::kAborted, "the blob is being fetched anew: its bytes were wrong");
  return progress_->landed ? UINT64_MAX : progress_->prefix;
}

Result<std::size_t> GrowingSource::read(std::uint64_t offset, std::span<std::byte> buffer) {
  const auto end = wait_beyond(offset);
  if (!end) return fail(end.error());
  if (!blob_) {
    auto blob = store_.open_growing(digest_);
    if (!blob) return fail(blob.error());
    blob_ = std::move(*blob);
  }
  const std::uint64_t size = std::min(*end, blob_->size);
  if (offset >= size) return 0;
  return read_at(blob_->fd.get(), buffer.first(std::min<std::uint64_t>(buffer.size(), size - offset)), offset);
}

Status GrowingSource::wait_landed() {
  std::unique_lock lock(progress_->mutex);
  progress_->changed.wait(lock, stop_, [&] { return progress_->landed.has_value(); });
  if (!progress_->landed) return fail(Code::kCancelled, "given up");
  if (*progress_->landed && progress_->began_anew) {
    return fail(Code::kAborted, "the blob was fetched anew: its bytes had been wrong");
  }
  return *progress_->landed;
}

}  // namespace paceline::layers
