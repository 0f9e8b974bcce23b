#include "plugin/cli/node_model.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temp_dir.h"
#include "tests/unit/records/samples.h"

namespace paceline::cli {
namespace {

/// Pulls of other sizes each, over the same path.
std::vector<records::ColdStart> many_records() {
  std::vector<records::ColdStart> out;
  for (int i = 1; i <= 12; ++i) {
    auto record = records::sample_record("p" + std::to_string(i));
    record.layers.insert(record.layers.begin(), records::Layer{});  // The config.
    auto& layer = record.layers.back();
    layer.size_bytes = static_cast<std::uint64_t>(i) * 10'000'000;
    record.fetched_bytes = layer.size_bytes;
    const double fetch_ms = 100 + 800.0 * i;
    record.phases = {{"resolve", 0, 100},
                     {"connect", 100, 200},
                     {"fetch", 200, 200 + fetch_ms},
                     {"verify", 200 + fetch_ms, 230 + fetch_ms}};
    record.pull_ms = 230 + fetch_ms;
    out.push_back(record);
  }
  return out;
}

TEST(NodeModel, FitsRecordsAndSurvivesJson) {
  const auto model = model_of(many_records(), "test");
  EXPECT_EQ(model.calibration.pulls, 12U);
  EXPECT_LT(model.calibration.median_error, 0.1);
  EXPECT_NE(model.describe().find("fitted to 12 pulls (test)"), std::string::npos);
  ASSERT_EQ(model.paths.size(), 1U);
  const auto again = model_from_json(to_json(model).dump());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->calibration.costs, model.calibration.costs);
  EXPECT_EQ(to_json(*again), to_json(model));
}

TEST(NodeModel, ASavedCalibrationPredictsWhatItsNodeDoes) {
  const auto model = model_of(many_records(), "test");
  const auto again = model_from_json(to_json(model).dump());
  ASSERT_TRUE(again);
  const std::vector<adaptive::PullLayer> layers = {{10'000'000, 30'000'000, 700}};
  ASSERT_EQ(again->paths.size(), model.paths.size());
  for (const auto& [host, path] : model.paths) {
    const auto predicted = adaptive::predict_pull(layers, path, model.calibration.costs);
    const auto saved = adaptive::predict_pull(layers, again->paths.at(host), again->calibration.costs);
    EXPECT_NEAR(saved.setup, predicted.setup, 1e-6) << host;
    EXPECT_NEAR(saved.total(), predicted.total(), 1e-6) << host;
  }
}

TEST(NodeModel, ARegistryIsFoundByTheHostOfItsBlobs) {
  auto records = many_records();
  for (auto& record : records) {
    record.registry = "docker.io";
    record.hosts.push_back(record.hosts.front());
    record.hosts.back().host = "cdn.example:443";
    record.hosts.back().best_bytes_per_second *= 2;
  }
  const auto model = model_of(records, "test");
  auto again = model_from_json(to_json(model).dump());
  ASSERT_TRUE(again);
  for (const NodeModel* each : std::initializer_list<const NodeModel*>{&model, &*again}) {
    ASSERT_NE(each->path_to("docker.io"), nullptr);
    EXPECT_EQ(each->path_to("docker.io"), &each->paths.at("cdn.example:443"));
    EXPECT_TRUE(each->path_to("docker.io")->redirect);
    EXPECT_EQ(each->path_to("other.example"), nullptr);
    EXPECT_EQ(each->path_to(""), nullptr);
  }
  again->registries.clear();
  again->paths["registry-1.docker.io:443"] = again->paths.at("cdn.example:443");
  EXPECT_EQ(again->path_to("docker.io"), &again->paths.at("registry-1.docker.io:443"));
}

TEST(NodeModel, SaysWhenItKnowsNothing) {
  const auto model = model_of({}, "test");
  EXPECT_EQ(model.calibration.pulls, 0U);
  EXPECT_NE(model.describe().find("defaults"), std::string::npos);
  EXPECT_TRUE(error_json(model).at("median_error").is_null());
}

TEST(NodeModel, ForeignFilesAreNoCalibration) {
  for (const char* text : {"", "[]", "{}", "{\"source\":1}", "not json"}) EXPECT_FALSE(model_from_json(text)) << text;
}

TEST(NodeModel, ValuesThatCannotBeAreNoCalibration) {
  const Json good = to_json(model_of(many_records(), "test"));
  ASSERT_TRUE(model_from_json(good.dump()));
  const std::pair<const char*, Json> wrong[] = {{"/pulls", -1},
                                                {"/pulls", 2.7},
                                                {"/median_error", -0.1},
                                                {"/p90_error", 1e300},
                                                {"/coefficients/start_seconds", 1e308},
                                                {"/coefficients/fill", -1},
                                                {"/coefficients/cores", "two"}};
  for (const auto& [where, value] : wrong) {
    Json bad = good;
    bad[Json::json_pointer(where)] = value;
    EXPECT_FALSE(model_from_json(bad.dump())) << where << " = " << value;
  }
  Json bad = good;
  bad["paths"].begin().value()["bytes_per_second"] = -1;
  const auto said = model_from_json(bad.dump());
  ASSERT_FALSE(said);
  EXPECT_NE(said.error().message.find("bytes_per_second is not between 0 and"), std::string::npos)
      << said.error().message;
}

TEST(NodeModel, RecordsFromAFileTheLastLineOfAPullCounts) {
  const test::TempDir dir;
  auto first = records::sample_record("p1"), second = records::sample_record("p1");
  second.pull_ms = 7;
  const auto file = dir.write("records.jsonl", to_json(first) + "\n" + to_json(second) + "\n\n");
  const auto records = read_records(file);
  ASSERT_TRUE(records) << records.error().message;
  ASSERT_EQ(records->size(), 1U);
  EXPECT_EQ(records->front().pull_ms, 7);
  const auto broken = read_records(dir.write("broken.jsonl", to_json(first) + "\n{}\n"));
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find("broken.jsonl:2: not a cold-start record: a field is missing"),
            std::string::npos);
  const auto foreign = read_records(dir.write("foreign.jsonl", "{\"pull_id\": oops}\n"));
  ASSERT_FALSE(foreign);
  EXPECT_NE(foreign.error().message.find("foreign.jsonl:1: not a cold-start record: no JSON from byte 13 on"),
            std::string::npos)
      << foreign.error().message;
  EXPECT_EQ(foreign.error().message.find("exception"), std::string::npos);
}

}  // namespace
}  // namespace paceline::cli
