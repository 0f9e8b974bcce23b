#include "plugin/cli/node_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <thread>

#include "plugin/base/files.h"
#include "plugin/cli/format.h"
#include "plugin/records/pull_observations.h"

namespace paceline::cli {
namespace {

using adaptive::NodeCosts;

/// Older pulls say less of what the node is like now, and each is a call.
constexpr std::uint32_t kMostRecords = 400;
constexpr std::size_t kMostRecordBytes = 256U << 20U;

struct Coefficient {
  const char* name;
  double NodeCosts::*value;
};
constexpr Coefficient kCoefficients[] = {
    {"start_seconds", &NodeCosts::start},
    {"setup_factor", &NodeCosts::setup},
    {"ramp_round_trips", &NodeCosts::ramp},
    {"fill", &NodeCosts::fill},
    {"verify_cpu_seconds_per_byte", &NodeCosts::verify_byte},
    {"inflate_cpu_seconds_per_byte", &NodeCosts::inflate_byte},
    {"unpack_cpu_seconds_per_layer", &NodeCosts::unpack_layer},
    {"unpack_cpu_seconds_per_byte", &NodeCosts::unpack_byte},
    {"unpack_cpu_seconds_per_file", &NodeCosts::unpack_file},
    {"settle_seconds", &NodeCosts::settle},
    {"settle_seconds_per_byte", &NodeCosts::settle_byte},
    {"cores", &NodeCosts::cores},
};

/// Above all that a coefficient, an error or a path can sensibly be; what it bounds adds up to finite seconds.
constexpr double kMostValue = 1e6;
constexpr double kMostRate = 1e15;  // bytes a second

/// Throws Json::exception where there is no number, as get() does where it is another type.
Result<double> number(const Json& object, const char* name, double most) {
  const double value = object.at(name).get<double>();
  if (value >= 0 && value <= most) return value;
  return fail(Code::kInvalidArgument, fmt::format("{} is not between 0 and {:g}", name, most));
}

NodeCosts defaults_here() {
  NodeCosts costs;
  costs.cores = std::max(1U, std::thread::hardware_concurrency());
  return costs;
}

NodeModel defaults(const std::string& why) {
  NodeModel model;
  model.calibration.costs = defaults_here();
  model.source = why;
  return model;
}

}  // namespace

std::string NodeModel::describe() const {
  if (calibration.pulls == 0) return "the model's defaults, rough and of unknown error here (" + source + ")";
  std::string out = "fitted to " + count(calibration.pulls, "pull") + " (" + source + ")";
  if (calibration.folds == 0) return out + "; too few to say how far off it is";
  return out + fmt::format("; on pulls left out it was off by {:.0f} % in the median, {:.0f} % at the 90th percentile",
                           100 * calibration.median_error, 100 * calibration.p90_error);
}

const adaptive::Path* NodeModel::path_to(const std::string& registry) const {
  if (registry.empty()) return nullptr;
  // Calibrations of before say nothing of registries: then one is known by its own host, with a port or without.
  const auto blobs = registries.find(registry);
  const std::string host = registry == "docker.io" ? "registry-1.docker.io" : registry;
  for (const std::string& name : {blobs == registries.end() ? host : blobs->second, host + ":443", host + ":80"}) {
    if (const auto path = paths.find(name); path != paths.end()) return &path->second;
  }
  return nullptr;
}

NodeModel model_of(const std::vector<records::ColdStart>& records, std::string source) {
  const auto pulls = records::observe_all(records);
  NodeModel model;
  model.calibration = adaptive::calibrate(pulls, defaults_here());
  model.paths = records::known_paths(records);
  model.registries = records::blob_hosts(records);
  model.source = std::move(source);
  if (model.calibration.pulls == 0) {
    model.source +=
        fmt::format(": {} that can be used, {} are wanted", count(pulls.size(), "pull"), adaptive::kLeastPulls);
  }
  return model;
}

Outcome<std::vector<records::ColdStart>> fetch_all_records(Client& client) {
  v1::ListRecordsRequest request;
  request.set_limit(kMostRecords);
  const auto stream = client.stream(&Client::Stub::ListRecords, request);
  std::vector<std::string> ids;
  v1::ListRecordsResponse message;
  while (stream->read(message)) {
    for (const auto& record : message.records()) {
      if (record.state() == "done" && record.fetched_bytes() > 0) ids.push_back(record.pull_id());
    }
  }
  if (auto end = stream->finish(); !end) return tl::unexpected(end.error());
  std::vector<records::ColdStart> out;
  for (const auto& id : ids) {
    v1::GetRecordRequest one;
    one.set_pull_id(id);
    const auto response = client.call(&Client::Stub::GetRecord, one);
    if (!response) return tl::unexpected(response.error());
    if (auto record = records::from_json(response->json())) out.push_back(std::move(*record));
  }
  return out;
}

Outcome<std::vector<records::ColdStart>> read_records(const std::string& file) {
  const auto text = read_file(file, kMostRecordBytes);
  if (!text) return tl::unexpected(Failure{Exit::kFailed, text.error().message});
  std::map<std::string, records::ColdStart> by_pull;
  std::istringstream lines(*text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty()) continue;
    auto record = records::from_json(line);
    if (!record) {
      return tl::unexpected(
          Failure{Exit::kFailed, file + ":" + std::to_string(number) + ": " + record.error().message +
                                     "; what is wanted is the daemon's records.jsonl, a record a line"});
    }
    std::string id = record->pull_id;
    by_pull.insert_or_assign(std::move(id), std::move(*record));
  }
  std::vector<records::ColdStart> out;
  for (auto& [id, record] : by_pull) out.push_back(std::move(record));
  return out;
}

Json to_json(const NodeModel& model) {
  Json costs = Json::object();
  for (const auto& each : kCoefficients) costs[each.name] = model.calibration.costs.*each.value;
  Json paths = Json::object();
  for (const auto& [host, path] : model.paths) {
    paths[host] = {{"rtt_ms", 1000 * adaptive::seconds(path.rtt_blob)},
                   {"first_byte_ms", 1000 * adaptive::seconds(path.first_byte)},
                   {"bytes_per_second", path.link_rate * adaptive::kWireEfficiency},
                   {"connection_cap_bytes_per_second", path.connection_cap},
                   {"redirect", path.redirect}};
  }
  Json out = error_json(model);
  out["coefficients"] = std::move(costs);
  out["paths"] = std::move(paths);
  out["registries"] = model.registries;
  return out;
}

Json error_json(const NodeModel& model) {
  const auto& fitted = model.calibration;
  return {{"source", model.source},
          {"pulls", fitted.pulls},
          {"median_error", fitted.folds > 0 ? Json(fitted.median_error) : Json(nullptr)},
          {"p90_error", fitted.folds > 0 ? Json(fitted.p90_error) : Json(nullptr)}};
}

Result<NodeModel> model_from_json(const std::string& text) {
  NodeModel model = defaults("");
  try {
    const Json json = Json::parse(text);
    model.source = json.at("source").get<std::string>();
    if (!json.at("pulls").is_number_unsigned()) return fail(Code::kInvalidArgument, "pulls is no count");
    model.calibration.pulls = json.at("pulls").get<std::size_t>();
    if (!json.at("median_error").is_null()) {
      model.calibration.folds = adaptive::kFolds;
      const auto median = number(json, "median_error", kMostValue), p90 = number(json, "p90_error", kMostValue);
      if (!median || !p90) return fail(median ? p90.error() : median.error());
      model.calibration.median_error = *median;
      model.calibration.p90_error = *p90;
    }
    for (const auto& each : kCoefficients) {
      const auto value = number(json.at("coefficients"), each.name, kMostValue);
      if (!value) return fail(value.error());
      model.calibration.costs.*each.value = *value;
    }
    for (const auto& [host, path] : json.at("paths").items()) {
      const auto rtt = number(path, "rtt_ms", kMostValue), first_byte = number(path, "first_byte_ms", kMostValue);
      const auto rate = number(path, "bytes_per_second", kMostRate);
      const auto cap = number(path, "connection_cap_bytes_per_second", kMostRate);
      for (const auto* each : {&rtt, &first_byte, &rate, &cap}) {
        if (!*each) return fail(each->error().context("path to " + host));
      }
      adaptive::Path known;
      known.rtt_registry = known.rtt_token = known.rtt_blob = adaptive::from_seconds(*rtt / 1000);
      known.first_byte = adaptive::from_seconds(*first_byte / 1000);
      known.link_rate = *rate / adaptive::kWireEfficiency;
      known.connection_cap = *cap;
      // As records::known_paths() leaves them, so that a saved calibration predicts what its node does.
      known.warm.dns = true;
      known.needs_token = false;
      known.redirect = path.value("redirect", false);
      model.paths.emplace(host, known);
    }
    if (const auto registries = json.find("registries"); registries != json.end()) {
      model.registries = registries->get<std::map<std::string, std::string>>();
    }
  } catch (const Json::exception&) {
    return fail(Code::kInvalidArgument, "it is not what 'paceline calibrate --output json' prints");
  }
  return model;
}

Outcome<NodeModel> load_model(Session& session, const std::string& file) {
  if (!file.empty()) {
    const auto text = read_file(file);
    if (!text) return tl::unexpected(Failure{Exit::kFailed, text.error().message});
    auto model = model_from_json(*text);
    if (!model) return tl::unexpected(Failure{Exit::kFailed, file + ": " + model.error().message});
    return std::move(*model);
  }
  const auto client = session.connect();
  if (!client) return defaults("the daemon cannot be asked for its records");
  const auto records = fetch_all_records(**client);
  if (!records) {
    if (records.error().exit == Exit::kInterrupted) return tl::unexpected(records.error());
    return defaults("the daemon keeps no records");
  }
  return model_of(*records, "this node's records");
}

}  // namespace paceline::cli
