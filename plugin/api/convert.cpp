#include "plugin/api/convert.h"

#include <algorithm>
#include <chrono>

namespace paceline::api {
namespace {

std::uint64_t to_ms(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(ms, 0));
}

v1::PullState to_proto(pull::PullState state) {
  switch (state) {
    case pull::PullState::kQueued:
      return v1::PULL_STATE_QUEUED;
    case pull::PullState::kResolving:
      return v1::PULL_STATE_RESOLVING;
    case pull::PullState::kFetching:
      return v1::PULL_STATE_FETCHING;
    case pull::PullState::kUnpacking:
      return v1::PULL_STATE_UNPACKING;
    case pull::PullState::kDone:
      return v1::PULL_STATE_DONE;
    case pull::PullState::kFailed:
      return v1::PULL_STATE_FAILED;
    case pull::PullState::kCancelled:
      return v1::PULL_STATE_CANCELLED;
  }
  return v1::PULL_STATE_UNSPECIFIED;
}

v1::PullSource to_proto(pull::Source source) {
  switch (source) {
    case pull::Source::kMirror:
      return v1::PULL_SOURCE_MIRROR;
    case pull::Source::kPrefetch:
      return v1::PULL_SOURCE_PREFETCH;
    case pull::Source::kResumed:
      return v1::PULL_SOURCE_RESUMED;
  }
  return v1::PULL_SOURCE_UNSPECIFIED;
}

v1::UnpackState to_proto(pull::UnpackState state) {
  switch (state) {
    case pull::UnpackState::kNone:
      return v1::UNPACK_STATE_UNSPECIFIED;
    case pull::UnpackState::kWaiting:
      return v1::UNPACK_STATE_WAITING;
    case pull::UnpackState::kUnpacking:
      return v1::UNPACK_STATE_UNPACKING;
    case pull::UnpackState::kUnpacked:
      return v1::UNPACK_STATE_UNPACKED;
    case pull::UnpackState::kFailed:
      return v1::UNPACK_STATE_FAILED;
  }
  return v1::UNPACK_STATE_UNSPECIFIED;
}

v1::BlobProgress to_proto(const pull::BlobProgress& blob) {
  v1::BlobProgress out;
  out.set_digest(blob.digest.to_string());
  out.set_media_type(blob.media_type);
  out.set_size_bytes(blob.size);
  out.set_received_bytes(blob.received);
  out.set_present(blob.present);
  out.set_done(blob.done);
  out.set_streams(blob.streams);
  out.set_unpack(to_proto(blob.unpack));
  out.set_unpacked_bytes(blob.unpacked_bytes);
  return out;
}

}  // namespace

bool is_over(pull::PullState state) {
  return state == pull::PullState::kDone || state == pull::PullState::kFailed || state == pull::PullState::kCancelled;
}

grpc::Status to_grpc(const Error& error) { return {static_cast<grpc::StatusCode>(error.code), error.message}; }

v1::Error to_proto(const Error& error) {
  v1::Error out;
  out.set_code(std::string(code_name(error.code)));
  out.set_message(error.message);
  return out;
}

v1::Pull to_proto(const pull::PullSnapshot& pull, Blobs blobs) {
  v1::Pull out;
  out.set_pull_id(pull.id);
  out.set_image(pull.image);
  if (pull.digest) out.set_manifest_digest(pull.digest->to_string());
  out.set_platform(pull.platform);
  out.set_source(to_proto(pull.source));
  out.set_foreground(pull.foreground);
  out.set_state(to_proto(pull.state));
  if (pull.error) *out.mutable_error() = to_proto(*pull.error);
  out.set_started_unix_ms(unix_ms(pull.started));
  if (pull.finished) out.set_finished_unix_ms(unix_ms(*pull.finished));
  out.set_elapsed_ms(to_ms(pull.elapsed));
  out.set_resolve_ms(to_ms(pull.resolve_time));
  out.set_total_bytes(pull.total_bytes);
  out.set_received_bytes(pull.received_bytes);
  out.set_fetched_bytes(pull.fetched_bytes);
  out.set_resumed_bytes(pull.resumed_bytes);
  out.set_retries(pull.retries);
  out.set_streams(pull.streams);
  out.set_bytes_per_second(pull.bytes_per_second);
  out.set_policy(pull.policy);
  out.set_blob_count(static_cast<std::uint32_t>(pull.blobs.size()));
  out.set_blobs_done(static_cast<std::uint32_t>(
      std::count_if(pull.blobs.begin(), pull.blobs.end(), [](const auto& blob) { return blob.done; })));
  out.set_unpack(pull.unpack);
  out.set_layers_unpacked(
      static_cast<std::uint32_t>(std::count_if(pull.blobs.begin(), pull.blobs.end(), [](const auto& blob) {
        return blob.unpack == pull::UnpackState::kUnpacked;
      })));
  if (blobs == Blobs::kInclude) {
    for (const auto& blob : pull.blobs) *out.add_blobs() = to_proto(blob);
  }
  return out;
}

v1::Path to_proto(const pull::PathSnapshot& path) {
  v1::Path out;
  out.set_host(path.host);
  out.set_policy(path.policy);
  out.set_stream_limit(path.limit);
  out.set_active_streams(path.active);
  out.set_stream_ceiling(path.ceiling);
  out.set_mode(path.mode);
  out.set_reason(path.reason);
  out.set_rtt_ms(path.rtt_seconds * 1e3);
  out.set_first_byte_ms(path.first_byte_seconds * 1e3);
  out.set_bytes_per_second(path.bytes_per_second);
  out.set_best_bytes_per_second(path.best_bytes_per_second);
  out.set_ranges(path.ranges);
  out.set_silent_ms(path.silent_seconds * 1e3);
  out.set_fetched_bytes(path.bytes);
  out.set_requests(path.requests);
  out.set_retries(path.retries);
  out.set_throttled(path.throttled);
  return out;
}

v1::Blob to_proto(const store::BlobInfo& blob) {
  v1::Blob out;
  out.set_digest(blob.digest.to_string());
  out.set_size_bytes(blob.size);
  out.set_visibility(blob.visibility == store::Visibility::kHidden ? v1::VISIBILITY_HIDDEN : v1::VISIBILITY_LISTED);
  out.set_pinned(blob.pinned);
  out.set_created_unix_ms(unix_ms(blob.created));
  out.set_updated_unix_ms(unix_ms(blob.updated));
  out.set_last_used_unix_ms(unix_ms(blob.last_used));
  return out;
}

v1::Usage to_proto(const store::Usage& usage) {
  v1::Usage out;
  out.set_listed_blobs(usage.listed_blobs);
  out.set_listed_bytes(usage.listed_bytes);
  out.set_hidden_blobs(usage.hidden_blobs);
  out.set_hidden_bytes(usage.hidden_bytes);
  out.set_pinned_bytes(usage.pinned_bytes);
  out.set_partial_bytes(usage.partial_bytes);
  out.set_quota_bytes(usage.quota);
  out.set_free_floor_bytes(usage.free_floor);
  out.set_free_bytes(usage.free_bytes);
  out.set_evictions(usage.evictions);
  return out;
}

std::int64_t unix_ms(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

v1::RecordSummary to_proto(const records::Summary& record) {
  v1::RecordSummary out;
  out.set_pull_id(record.pull_id);
  out.set_started_unix_ms(record.started_unix_ms);
  out.set_image(record.image);
  out.set_registry(record.registry);
  out.set_policy(record.policy);
  out.set_source(record.source);
  out.set_state(record.state);
  out.set_mixed(record.mixed);
  out.set_pull_ms(record.pull_ms);
  out.set_cold_start_ms(record.cold_start_ms.value_or(0));
  out.set_total_bytes(record.total_bytes);
  out.set_fetched_bytes(record.fetched_bytes);
  out.set_lower_bound_ms(record.lower_bound_ms);
  return out;
}

}  // namespace paceline::api
