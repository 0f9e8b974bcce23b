#include "plugin/status/state_json.h"

#include <chrono>
#include <nlohmann/json.hpp>

namespace paceline::status {
namespace {

using Json = nlohmann::ordered_json;

// A page is for looking at: what is beyond is in `paceline pulls` and `paceline paths`.
constexpr std::size_t kMostPulls = 50;
constexpr std::size_t kMostBlobs = 128;
constexpr std::size_t kMostPaths = 64;
constexpr auto kFailureShown = std::chrono::minutes(2);

double in_ms(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

std::int64_t unix_ms(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::string blob_state(const pull::BlobProgress& blob) {
  if (blob.present) return "present";
  if (blob.done) return "done";
  return blob.shared ? "shared" : "fetching";
}

std::string unpack_state(pull::UnpackState state) {
  switch (state) {
    case pull::UnpackState::kWaiting:
      return "waiting";
    case pull::UnpackState::kUnpacking:
      return "unpacking";
    case pull::UnpackState::kUnpacked:
      return "unpacked";
    case pull::UnpackState::kFailed:
      return "failed";
    case pull::UnpackState::kNone:
      break;
  }
  return "";
}

Json blob_json(const pull::BlobProgress& blob) {
  return {{"digest", blob.digest.short_hex()}, {"size_bytes", blob.size},   {"received_bytes", blob.received},
          {"streams", blob.streams},           {"state", blob_state(blob)}, {"unpack", unpack_state(blob.unpack)}};
}

bool worth_showing(const pull::PullSnapshot& pull, WallTime now) {
  if (!pull.finished) return true;
  return pull.state == pull::PullState::kFailed && now - *pull.finished < kFailureShown;
}

Json pull_json(const pull::PullSnapshot& pull) {
  Json blobs = Json::array();
  for (const auto& blob : pull.blobs) {
    if (blobs.size() == kMostBlobs) break;
    blobs.push_back(blob_json(blob));
  }
  return {{"id", pull.id},
          {"image", pull.image},
          {"source", pull::source_name(pull.source)},
          {"state", pull::state_name(pull.state)},
          {"error", pull.error ? pull.error->message : ""},
          {"policy", pull.policy},
          {"elapsed_ms", in_ms(pull.elapsed)},
          {"total_bytes", pull.total_bytes},
          {"received_bytes", pull.received_bytes},
          {"bytes_per_second", pull.bytes_per_second},
          {"streams", pull.streams},
          {"blobs", std::move(blobs)}};
}

Json path_json(const pull::PathSnapshot& path) {
  return {{"host", path.host},
          {"policy", path.policy},
          {"limit", path.limit},
          {"active", path.active},
          {"ceiling", path.ceiling},
          {"mode", path.mode},
          {"reason", path.reason},
          {"rtt_ms", 1000 * path.rtt_seconds},
          {"first_byte_ms", 1000 * path.first_byte_seconds},
          {"bytes_per_second", path.bytes_per_second},
          {"best_bytes_per_second", path.best_bytes_per_second},
          {"silent_ms", 1000 * path.silent_seconds}};
}

Json start_json(const records::ColdStart& start) {
  Json phases = Json::array();
  for (const auto& phase : start.phases) {
    phases.push_back({{"name", phase.name}, {"start_ms", phase.start_ms}, {"end_ms", phase.end_ms}});
  }
  return {{"pull_id", start.pull_id},
          {"image", start.image},
          {"policy", start.policy},
          {"source", start.source},
          {"state", start.state},
          {"error", start.error},
          {"started_unix_ms", start.started_unix_ms},
          {"pull_ms", start.pull_ms},
          {"cold_start_ms", start.cold_start_ms ? Json(*start.cold_start_ms) : Json()},
          {"fetched_bytes", start.fetched_bytes},
          {"total_bytes", start.total_bytes},
          {"ratio", start.ratio},
          {"phases", std::move(phases)}};
}

}  // namespace

std::string to_json(const State& state) {
  Json pulls = Json::array();
  for (const auto& pull : state.pulls) {
    if (pulls.size() == kMostPulls) break;
    if (worth_showing(pull, state.now)) pulls.push_back(pull_json(pull));
  }
  Json paths = Json::array();
  for (const auto& path : state.paths) {
    if (paths.size() == kMostPaths) break;
    paths.push_back(path_json(path));
  }
  Json starts = Json::array();
  for (const auto& start : state.starts) starts.push_back(start_json(start));
  const Json all = {{"version", state.version},
                    {"now_unix_ms", unix_ms(state.now)},
                    {"pulls", std::move(pulls)},
                    {"paths", std::move(paths)},
                    {"starts", std::move(starts)}};
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace paceline::status
