#include "plugin/records/cold_start.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace paceline::records {
namespace {

using Json = nlohmann::ordered_json;

// Microseconds are as much as our clocks can promise.
double rounded(double ms) { return std::round(ms * 1000) / 1000; }

Json optional(const std::optional<double>& ms) { return ms ? Json(rounded(*ms)) : Json(nullptr); }

std::optional<double> optional(const Json& json, const char* key) {
  const auto at = json.find(key);
  return at == json.end() || at->is_null() ? std::nullopt : std::optional(at->get<double>());
}

/// Empty when there is none.
const Json& list(const Json& json, const char* key) {
  static const Json kNone = Json::array();
  const auto at = json.find(key);
  return at == json.end() ? kNone : *at;
}

Json write(const Layer& layer) {
  return {{"digest", layer.digest},
          {"size_bytes", layer.size_bytes},
          {"origin", layer.origin},
          {"located_ms", optional(layer.located_ms)},
          {"first_byte_ms", optional(layer.first_byte_ms)},
          {"last_byte_ms", optional(layer.last_byte_ms)},
          {"verified_ms", optional(layer.verified_ms)},
          {"unpack_start_ms", optional(layer.unpack_start_ms)},
          {"unpack_end_ms", optional(layer.unpack_end_ms)},
          {"uncompressed_bytes", layer.uncompressed_bytes},
          {"files", layer.files},
          {"inflate_cpu_ms", rounded(layer.inflate_cpu_ms)},
          {"write_cpu_ms", rounded(layer.write_cpu_ms)}};
}

Json write(const Host& host) {
  return {{"host", host.host},
          {"rtt_ms", rounded(host.rtt_ms)},
          {"queue_ms", rounded(host.queue_ms)},
          {"first_byte_ms", rounded(host.first_byte_ms)},
          {"best_bytes_per_second", std::round(host.best_bytes_per_second)},
          {"stream_bytes_per_second", std::round(host.stream_bytes_per_second)},
          {"stream_spread", rounded(host.stream_spread)},
          {"segments", host.segments},
          {"out_of_order_segments", host.out_of_order},
          {"throttled", host.throttled},
          {"silent_ms", rounded(host.silent_ms)}};
}

Layer read_layer(const Json& json) {
  Layer layer;
  layer.digest = json.value("digest", "");
  layer.size_bytes = json.value("size_bytes", std::uint64_t{0});
  layer.origin = json.value("origin", "");
  layer.located_ms = optional(json, "located_ms");
  layer.first_byte_ms = optional(json, "first_byte_ms");
  layer.last_byte_ms = optional(json, "last_byte_ms");
  layer.verified_ms = optional(json, "verified_ms");
  layer.unpack_start_ms = optional(json, "unpack_start_ms");
  layer.unpack_end_ms = optional(json, "unpack_end_ms");
  layer.uncompressed_bytes = json.value("uncompressed_bytes", std::uint64_t{0});
  layer.files = json.value("files", std::uint64_t{0});
  layer.inflate_cpu_ms = json.value("inflate_cpu_ms", 0.0);
  layer.write_cpu_ms = json.value("write_cpu_ms", 0.0);
  return layer;
}

Host read_host(const Json& json) {
  Host host;
  host.host = json.value("host", "");
  host.rtt_ms = json.value("rtt_ms", 0.0);
  host.queue_ms = json.value("queue_ms", 0.0);
  host.first_byte_ms = json.value("first_byte_ms", 0.0);
  host.best_bytes_per_second = json.value("best_bytes_per_second", 0.0);
  host.stream_bytes_per_second = json.value("stream_bytes_per_second", 0.0);
  host.stream_spread = json.value("stream_spread", 0.0);
  host.segments = json.value("segments", std::uint64_t{0});
  host.out_of_order = json.value("out_of_order_segments", std::uint64_t{0});
  host.throttled = json.value("throttled", std::uint64_t{0});
  host.silent_ms = json.value("silent_ms", 0.0);
  return host;
}

ColdStart read(const Json& json) {
  ColdStart out;
  out.pull_id = json.at("pull_id").get<std::string>();
  out.image = json.value("image", "");
  out.manifest_digest = json.value("manifest_digest", "");
  out.platform = json.value("platform", "");
  out.registry = json.value("registry", "");
  out.policy = json.value("policy", "");
  out.arm = json.value("arm", "");
  out.mixed = json.value("mixed", false);
  out.source = json.value("source", "");
  out.state = json.value("state", "");
  out.error = json.value("error", "");
  out.started_unix_ms = json.value("started_unix_ms", std::int64_t{0});
  out.pull_ms = json.value("pull_ms", 0.0);
  out.cold_start_ms = optional(json, "cold_start_ms");
  out.total_bytes = json.value("total_bytes", std::uint64_t{0});
  out.fetched_bytes = json.value("fetched_bytes", std::uint64_t{0});
  out.resumed_bytes = json.value("resumed_bytes", std::uint64_t{0});
  out.wasted_bytes = json.value("wasted_bytes", std::uint64_t{0});
  out.retries = json.value("retries", std::uint64_t{0});
  out.goodput_bytes_per_second = json.value("goodput_bytes_per_second", 0.0);
  out.write_ms = json.value("write_ms", 0.0);
  out.cpu_ms = json.value("cpu_ms", 0.0);
  out.cpus = json.value("cpus", 0U);
  out.lower_bound_ms = json.value("lower_bound_ms", 0.0);
  out.ratio = json.value("ratio", 0.0);
  if (const auto at = json.find("predicted_ms"); at != json.end()) {
    for (auto entry = at->begin(); entry != at->end(); ++entry) {
      out.predicted_ms[static_cast<unsigned>(std::stoul(entry.key()))] = entry->get<double>();
    }
  }
  for (const auto& phase : list(json, "phases")) {
    out.phases.push_back({phase.at("name"), phase.at("start_ms"), phase.at("end_ms")});
  }
  for (const auto& layer : list(json, "layers")) out.layers.push_back(read_layer(layer));
  for (const auto& change : list(json, "streams")) {
    out.streams.push_back({change.at("at_ms"), change.at("host"), change.at("streams"), change.at("reason")});
  }
  for (const auto& host : list(json, "hosts")) out.hosts.push_back(read_host(host));
  if (const auto at = json.find("container"); at != json.end() && !at->is_null()) {
    out.container = Container{at->at("id"), at->at("namespace"), at->at("created_ms"), optional(*at, "started_ms")};
  }
  return out;
}

}  // namespace

double ColdStart::phase_ms(const std::string& name) const {
  double sum = 0;
  for (const Phase& phase : phases) {
    if (phase.name == name) sum += phase.end_ms - phase.start_ms;
  }
  return sum;
}

std::string to_json(const ColdStart& record) {
  Json json = {{"pull_id", record.pull_id},
               {"image", record.image},
               {"manifest_digest", record.manifest_digest},
               {"platform", record.platform},
               {"registry", record.registry},
               {"policy", record.policy},
               {"arm", record.arm},
               {"mixed", record.mixed},
               {"source", record.source},
               {"state", record.state},
               {"error", record.error},
               {"started_unix_ms", record.started_unix_ms},
               {"pull_ms", rounded(record.pull_ms)},
               {"cold_start_ms", optional(record.cold_start_ms)},
               {"total_bytes", record.total_bytes},
               {"fetched_bytes", record.fetched_bytes},
               {"resumed_bytes", record.resumed_bytes},
               {"wasted_bytes", record.wasted_bytes},
               {"retries", record.retries},
               {"goodput_bytes_per_second", std::round(record.goodput_bytes_per_second)},
               {"write_ms", rounded(record.write_ms)},
               {"cpu_ms", rounded(record.cpu_ms)},
               {"cpus", record.cpus},
               {"lower_bound_ms", rounded(record.lower_bound_ms)},
               {"ratio", rounded(record.ratio)}};
  json["predicted_ms"] = Json::object();
  for (const auto& [streams, ms] : record.predicted_ms) json["predicted_ms"][std::to_string(streams)] = rounded(ms);
  json["phases"] = Json::array();
  for (const Phase& phase : record.phases) {
    json["phases"].push_back(
        {{"name", phase.name}, {"start_ms", rounded(phase.start_ms)}, {"end_ms", rounded(phase.end_ms)}});
  }
  json["layers"] = Json::array();
  for (const Layer& layer : record.layers) json["layers"].push_back(write(layer));
  json["streams"] = Json::array();
  for (const StreamChange& change : record.streams) {
    json["streams"].push_back({{"at_ms", rounded(change.at_ms)},
                               {"host", change.host},
                               {"streams", change.streams},
                               {"reason", change.reason}});
  }
  json["hosts"] = Json::array();
  for (const Host& host : record.hosts) json["hosts"].push_back(write(host));
  json["container"] = nullptr;
  if (record.container) {
    json["container"] = {{"id", record.container->id},
                         {"namespace", record.container->containerd_namespace},
                         {"created_ms", rounded(record.container->created_ms)},
                         {"started_ms", optional(record.container->started_ms)}};
  }
  // Names come from registries: what is no UTF-8 is replaced, not thrown at the writer.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<ColdStart> from_json(const std::string& text) try {
  return read(Json::parse(text));
} catch (const Json::parse_error& error) {
  return fail(Code::kInvalidArgument,
              "not a cold-start record: no JSON from byte " + std::to_string(error.byte) + " on");
} catch (const std::exception&) {
  return fail(Code::kInvalidArgument, "not a cold-start record: a field is missing or of another type");
}

}  // namespace paceline::records
