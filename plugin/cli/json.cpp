#include "plugin/cli/json.h"

namespace paceline::cli {
namespace {

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }
Json time_or_null(std::int64_t unix_ms) { return unix_ms == 0 ? Json(nullptr) : Json(unix_ms); }

Json error_or_null(bool present, const v1::Error& error) {
  if (!present) return nullptr;
  return {{"code", error.code()}, {"message", error.message()}};
}

}  // namespace

Json to_json(const v1::Pull& pull) {
  Json blobs = Json::array();
  for (const auto& blob : pull.blobs()) {
    blobs.push_back({{"digest", blob.digest()},
                     {"media_type", blob.media_type()},
                     {"size_bytes", blob.size_bytes()},
                     {"received_bytes", blob.received_bytes()},
                     {"present", blob.present()},
                     {"done", blob.done()},
                     {"streams", blob.streams()},
                     {"unpack", word(blob.unpack())},
                     {"unpacked_bytes", blob.unpacked_bytes()}});
  }
  return {{"pull_id", pull.pull_id()},
          {"image", pull.image()},
          {"manifest_digest", text_or_null(pull.manifest_digest())},
          {"platform", pull.platform()},
          {"source", word(pull.source())},
          {"foreground", pull.foreground()},
          {"state", word(pull.state())},
          {"error", error_or_null(pull.has_error(), pull.error())},
          {"started_unix_ms", time_or_null(pull.started_unix_ms())},
          {"finished_unix_ms", time_or_null(pull.finished_unix_ms())},
          {"elapsed_ms", pull.elapsed_ms()},
          {"resolve_ms", pull.resolve_ms()},
          {"total_bytes", pull.total_bytes()},
          {"received_bytes", pull.received_bytes()},
          {"fetched_bytes", pull.fetched_bytes()},
          {"resumed_bytes", pull.resumed_bytes()},
          {"retries", pull.retries()},
          {"streams", pull.streams()},
          {"bytes_per_second", pull.bytes_per_second()},
          {"policy", pull.policy()},
          {"blob_count", pull.blob_count()},
          {"blobs_done", pull.blobs_done()},
          {"unpack", pull.unpack()},
          {"layers_unpacked", pull.layers_unpacked()},
          {"blobs", std::move(blobs)}};
}

Json to_json(const v1::Blob& blob) {
  return {{"digest", blob.digest()},
          {"size_bytes", blob.size_bytes()},
          {"visibility", word(blob.visibility())},
          {"pinned", blob.pinned()},
          {"created_unix_ms", time_or_null(blob.created_unix_ms())},
          {"updated_unix_ms", time_or_null(blob.updated_unix_ms())},
          {"last_used_unix_ms", time_or_null(blob.last_used_unix_ms())}};
}

Json to_json(const v1::Usage& usage) {
  return {{"listed_blobs", usage.listed_blobs()},
          {"listed_bytes", usage.listed_bytes()},
          {"hidden_blobs", usage.hidden_blobs()},
          {"hidden_bytes", usage.hidden_bytes()},
          {"pinned_bytes", usage.pinned_bytes()},
          {"partial_bytes", usage.partial_bytes()},
          {"quota_bytes", usage.quota_bytes() == 0 ? Json(nullptr) : Json(usage.quota_bytes())},
          {"free_floor_bytes", usage.free_floor_bytes()},
          {"free_bytes", usage.free_bytes()},
          {"evictions", usage.evictions()},
          {"unpacked_layers", usage.unpacked_layers()},
          {"unpacked_bytes", usage.unpacked_bytes()}};
}

Json to_json(const v1::VerifyBlobsEvent& event) {
  return {{"digest", event.digest()},
          {"size_bytes", event.size_bytes()},
          {"ok", event.ok()},
          {"error", error_or_null(event.has_error(), event.error())},
          {"verified_blobs", event.verified_blobs()},
          {"total_blobs", event.total_blobs()},
          {"verified_bytes", event.verified_bytes()},
          {"total_bytes", event.total_bytes()}};
}

Json to_json(const v1::Pinned& pin) {
  Json digests = Json::array();
  for (const auto& digest : pin.digests()) digests.push_back(digest);
  return {{"image", pin.image()}, {"size_bytes", pin.size_bytes()}, {"digests", std::move(digests)}};
}

Json to_json(const v1::EvictResponse& response) {
  Json failures = Json::array();
  for (const auto& failure : response.failures()) {
    failures.push_back({{"target", failure.target()}, {"error", error_or_null(true, failure.error())}});
  }
  return {{"evicted_blobs", response.evicted_blobs()},   {"evicted_bytes", response.evicted_bytes()},
          {"evicted_layers", response.evicted_layers()}, {"evicted_layer_bytes", response.evicted_layer_bytes()},
          {"kept_blobs", response.kept_blobs()},         {"failures", std::move(failures)}};
}

Json to_json(const v1::Path& path) {
  return {{"host", path.host()},
          {"policy", path.policy()},
          {"stream_limit", path.stream_limit()},
          {"active_streams", path.active_streams()},
          {"stream_ceiling", path.stream_ceiling()},
          {"mode", path.mode()},
          {"reason", path.reason()},
          {"rtt_ms", path.rtt_ms()},
          {"first_byte_ms", path.first_byte_ms()},
          {"bytes_per_second", path.bytes_per_second()},
          {"best_bytes_per_second", path.best_bytes_per_second()},
          {"ranges", path.ranges()},
          {"silent_ms", path.silent_ms()},
          {"fetched_bytes", path.fetched_bytes()},
          {"requests", path.requests()},
          {"retries", path.retries()},
          {"throttled", path.throttled()}};
}

Json to_json(const v1::Version& version) {
  return {{"version", version.version()},
          {"api_version", version.api_version()},
          {"started_unix_ms", time_or_null(version.started_unix_ms())},
          {"uptime_ms", version.uptime_ms()},
          {"process_id", version.process_id()},
          {"platform", version.platform()}};
}

std::string to_line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string_view word(v1::PullState state) {
  switch (state) {
    case v1::PULL_STATE_QUEUED:
      return "queued";
    case v1::PULL_STATE_RESOLVING:
      return "resolving";
    case v1::PULL_STATE_FETCHING:
      return "fetching";
    case v1::PULL_STATE_UNPACKING:
      return "unpacking";
    case v1::PULL_STATE_DONE:
      return "done";
    case v1::PULL_STATE_FAILED:
      return "failed";
    case v1::PULL_STATE_CANCELLED:
      return "cancelled";
    default:
      return "unknown";
  }
}

std::string_view word(v1::UnpackState state) {
  switch (state) {
    case v1::UNPACK_STATE_WAITING:
      return "waiting";
    case v1::UNPACK_STATE_UNPACKING:
      return "unpacking";
    case v1::UNPACK_STATE_UNPACKED:
      return "unpacked";
    case v1::UNPACK_STATE_FAILED:
      return "failed";
    default:
      return "none";
  }
}

std::string_view word(v1::PullSource source) {
  switch (source) {
    case v1::PULL_SOURCE_MIRROR:
      return "mirror";
    case v1::PULL_SOURCE_PREFETCH:
      return "prefetch";
    case v1::PULL_SOURCE_RESUMED:
      return "resumed";
    default:
      return "unknown";
  }
}

std::string_view word(v1::Visibility visibility) {
  switch (visibility) {
    case v1::VISIBILITY_HIDDEN:
      return "hidden";
    case v1::VISIBILITY_LISTED:
      return "listed";
    default:
      return "unknown";
  }
}

}  // namespace paceline::cli
