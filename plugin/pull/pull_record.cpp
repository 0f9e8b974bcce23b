#include "plugin/pull/pull_record.h"

#include <time.h>

#include <algorithm>
#include <map>

namespace paceline::pull {
namespace {

constexpr Duration kRateWindow = std::chrono::milliseconds(800);

bool is_over(PullState state) {
  return state == PullState::kDone || state == PullState::kFailed || state == PullState::kCancelled;
}

Duration process_cpu_time() {
  timespec time{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0) return Duration{0};
  return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
}

}  // namespace

PullRecord::PullRecord(PullKey record_key, std::string record_id, Request request, const Clock& clock)
    : key(record_key),
      id(std::move(record_id)),
      image(std::move(request.image)),
      platform(std::move(request.platform)),
      source(request.source),
      access(std::move(request.access)),
      arm(request.arm),
      clock_(clock),
      policy_(std::move(request.policy)),
      foreground_(request.foreground),
      pin_(request.pin),
      unpack_(request.unpack),
      started_wall_(clock.wall()),
      started_(clock.now()),
      token_(request.token),
      cpu_at_start_(process_cpu_time()),
      sampled_(started_) {
  if (!request.began) return;
  started_wall_ -= std::chrono::duration_cast<WallTime::duration>(started_ - *request.began);
  started_ = *request.began;
}

void PullRecord::resolving() {
  const std::lock_guard lock(mutex_);
  if (is_over(state_)) return;
  state_ = PullState::kResolving;
  if (!resolving_) resolving_ = clock_.now();
}

void PullRecord::documented(Duration token) {
  const std::lock_guard lock(mutex_);
  documented_ = clock_.now();
  token_ += token;
}

bool PullRecord::fetching(const Digest& manifest, const std::vector<oci::Descriptor>& blobs) {
  const std::lock_guard lock(mutex_);
  if (is_over(state_)) return false;
  state_ = PullState::kFetching;
  resolved_ = clock_.now();
  unpack_awaited_ = unpack_;
  manifest_ = manifest;
  blobs_.clear();
  for (const auto& blob : blobs) {
    Blob entry;
    entry.descriptor = blob;
    blobs_.push_back(std::move(entry));
  }
  return true;
}

void PullRecord::blob_present(std::size_t blob) {
  const std::lock_guard lock(mutex_);
  blobs_[blob].present = blobs_[blob].done = blobs_[blob].landed = true;
}

void PullRecord::blob_in_flight(std::size_t blob, std::shared_ptr<BlobCounters> counters, bool own) {
  const std::lock_guard lock(mutex_);
  blobs_[blob].counters = std::move(counters);
  blobs_[blob].own = own;
}

void PullRecord::blob_waits(std::size_t blob, WaitId wait) {
  const std::lock_guard lock(mutex_);
  blobs_[blob].wait = wait;
}

bool PullRecord::blob_landed(std::size_t blob, const Status& outcome) {
  const std::lock_guard lock(mutex_);
  if (is_over(state_)) return false;
  blobs_[blob].landed = true;
  blobs_[blob].landed_at = clock_.now();
  blobs_[blob].done = outcome.has_value();
  if (!outcome && !error_) error_ = outcome.error();
  return std::all_of(blobs_.begin(), blobs_.end(), [](const Blob& b) { return b.landed; });
}

bool PullRecord::all_landed() const {
  const std::lock_guard lock(mutex_);
  return std::all_of(blobs_.begin(), blobs_.end(), [](const Blob& b) { return b.landed; });
}

void PullRecord::unpacking(std::shared_ptr<const UnpackProgress> progress) {
  const std::lock_guard lock(mutex_);
  unpack_progress_ = std::move(progress);
}

void PullRecord::unpacked(const Status& outcome) {
  const std::lock_guard lock(mutex_);
  unpack_awaited_ = false;
  if (!outcome && !error_) error_ = outcome.error();
}

bool PullRecord::waits_for_unpack() {
  const std::lock_guard lock(mutex_);
  // Without all blobs there is no image to unpack: why not is known already.
  if (!unpack_awaited_ || error_) return false;
  if (!is_over(state_)) state_ = PullState::kUnpacking;
  return true;
}

std::optional<PullState> PullRecord::finish(std::optional<PullState> state, std::optional<Error> error) {
  const std::lock_guard lock(mutex_);
  if (is_over(state_)) return std::nullopt;
  if (error && !error_) error_ = std::move(error);
  state_ = state.value_or(error_ ? PullState::kFailed : PullState::kDone);
  finished_ = clock_.now();
  finished_wall_ = clock_.wall();
  cpu_ = process_cpu_time() - cpu_at_start_;
  return state_;
}

bool PullRecord::over() const {
  const std::lock_guard lock(mutex_);
  return is_over(state_);
}

bool PullRecord::foreground() const {
  const std::lock_guard lock(mutex_);
  return foreground_;
}

void PullRecord::set_foreground() {
  const std::lock_guard lock(mutex_);
  foreground_ = true;
}

bool PullRecord::pin() const {
  const std::lock_guard lock(mutex_);
  return pin_;
}

void PullRecord::set_pin() {
  const std::lock_guard lock(mutex_);
  pin_ = true;
}

bool PullRecord::unpack() const {
  const std::lock_guard lock(mutex_);
  return unpack_;
}

void PullRecord::set_unpack() {
  const std::lock_guard lock(mutex_);
  unpack_ = true;
}

void PullRecord::also_pin(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  documents_.push_back(digest);
}

std::vector<Digest> PullRecord::digests() const {
  const std::lock_guard lock(mutex_);
  std::vector<Digest> out = documents_;
  for (const Blob& blob : blobs_) out.push_back(blob.descriptor.digest);
  return out;
}

std::vector<WaitId> PullRecord::waits() const {
  const std::lock_guard lock(mutex_);
  std::vector<WaitId> out;
  for (const Blob& blob : blobs_) {
    if (blob.wait && !blob.landed) out.push_back(*blob.wait);
  }
  return out;
}

bool PullRecord::has_blob(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(blobs_.begin(), blobs_.end(), [&](const Blob& b) { return b.descriptor.digest == digest; });
}

bool PullRecord::has_brought(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(blobs_.begin(), blobs_.end(),
                     [&](const Blob& b) { return b.done && b.descriptor.digest == digest; });
}

std::vector<oci::Descriptor> PullRecord::brought() const {
  const std::lock_guard lock(mutex_);
  std::vector<oci::Descriptor> out;
  for (const Blob& blob : blobs_) {
    if (blob.done) out.push_back(blob.descriptor);
  }
  return out;
}

std::optional<Digest> PullRecord::manifest() const {
  const std::lock_guard lock(mutex_);
  return manifest_;
}

bool PullRecord::ended_before(TimePoint time) const {
  const std::lock_guard lock(mutex_);
  return finished_ && *finished_ < time;
}

PullSnapshot PullRecord::snapshot() const {
  const std::lock_guard lock(mutex_);
  std::map<Digest, LayerProgress> layers;
  if (unpack_progress_ != nullptr) {
    for (const auto& layer : unpack_progress_->layers()) layers.emplace(layer.blob, layer);
  }
  const TimePoint now = finished_.value_or(clock_.now());
  PullSnapshot out;
  out.id = id;
  out.image = image.to_string();
  out.digest = manifest_;
  out.platform = platform.value_or(oci::Platform::host()).to_string();
  out.source = source;
  out.foreground = foreground_;
  out.unpack = unpack_;
  out.state = state_;
  out.error = error_;
  out.started = started_wall_;
  out.finished = finished_wall_;
  out.elapsed = now - started_;
  out.resolve_time = resolved_.value_or(now) - started_;
  out.policy = policy_;
  for (const Blob& blob : blobs_) {
    BlobProgress progress;
    progress.digest = blob.descriptor.digest;
    progress.media_type = blob.descriptor.media_type;
    progress.size = blob.descriptor.size;
    progress.present = blob.present;
    progress.shared = !blob.own && blob.counters != nullptr;
    progress.done = blob.done;
    if (blob.counters != nullptr) {
      progress.received = std::min(progress.size, blob.counters->received.load());
      progress.streams = blob.counters->streams.load();
      out.retries += blob.counters->retries.load();
      if (blob.own) out.fetched_bytes += blob.counters->fetched.load();
      if (blob.own) out.resumed_bytes += blob.counters->resumed.load();
    }
    if (blob.done) progress.received = progress.size;
    if (is_over(state_)) progress.streams = 0;
    if (const auto layer = layers.find(progress.digest); layer != layers.end()) {
      progress.unpack = layer->second.state;
      progress.unpacked_bytes = layer->second.bytes;
    }
    out.streams += progress.streams;
    out.total_bytes += progress.size;
    out.received_bytes += progress.received;
    out.blobs.push_back(std::move(progress));
  }
  if (finished_) {
    const double seconds = std::chrono::duration<double>(now - resolved_.value_or(started_)).count();
    out.bytes_per_second = seconds > 0 ? static_cast<double>(out.fetched_bytes) / seconds : 0;
  } else {
    if (now - sampled_ >= kRateWindow) {
      const double seconds = std::chrono::duration<double>(now - sampled_).count();
      const auto gained = out.received_bytes - std::min(sampled_bytes_, out.received_bytes);
      rate_ = static_cast<double>(gained) / seconds;
      sampled_ = now;
      sampled_bytes_ = out.received_bytes;
    }
    out.bytes_per_second = rate_;
  }
  return out;
}

JournalEntry PullRecord::journal_entry() const {
  const std::lock_guard lock(mutex_);
  return {.image = image.to_string(),
          .platform = platform ? platform->to_string() : std::string(),
          .manifest = manifest_,
          .own_rights = access.kind == registry::Access::Kind::kOwn,
          .foreground = foreground_,
          .pin = pin_,
          .unpack = unpack_};
}

}  // namespace paceline::pull
