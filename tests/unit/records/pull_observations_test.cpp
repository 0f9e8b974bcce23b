#include "plugin/records/pull_observations.h"

#include <gtest/gtest.h>

#include "tests/unit/records/samples.h"

namespace paceline::records {
namespace {

/// A config, and the sample's layer, unpacked after the last byte.
ColdStart unpacked_record() {
  ColdStart record = sample_record();
  Layer config;
  config.digest = "sha256:" + std::string(64, 'c');
  config.size_bytes = 1000;
  config.origin = "fetched";
  record.layers.insert(record.layers.begin(), config);
  Layer& layer = record.layers.back();
  layer.unpack_start_ms = 220;
  layer.unpack_end_ms = 1400;
  layer.uncompressed_bytes = 30'000'000;
  layer.files = 700;
  layer.inflate_cpu_ms = 90;
  layer.write_cpu_ms = 60;
  record.cpu_ms = 200;
  return record;
}

TEST(PullObservations, ARecordBecomesAnObservation) {
  const auto pulls = observe_all({unpacked_record()});
  ASSERT_EQ(pulls.size(), 1U);
  const auto& pull = pulls.front();
  ASSERT_EQ(pull.layers.size(), 1U);  // The config is no layer.
  EXPECT_EQ(pull.layers.front(), (adaptive::PullLayer{10'000'000, 30'000'000, 700}));
  EXPECT_TRUE(pull.options.unpack);
  EXPECT_DOUBLE_EQ(pull.unpacking.front()->inflate, 0.09);
  EXPECT_DOUBLE_EQ(pull.setup, 0.2);
  EXPECT_DOUBLE_EQ(pull.fetch, 0.75);
  EXPECT_DOUBLE_EQ(pull.verify, 0.05);
  EXPECT_DOUBLE_EQ(pull.total, 1.4);
  EXPECT_DOUBLE_EQ(*pull.cpu, 0.2);
  EXPECT_EQ(pull.path.rtt_blob, std::chrono::milliseconds(10));
  EXPECT_FALSE(pull.path.needs_token);
}

TEST(PullObservations, WithoutUnpackingItEndsWithThePull) {
  auto record = unpacked_record();
  record.layers.back().unpack_end_ms.reset();
  record.layers.back().uncompressed_bytes = 0;
  record.policy = "fixed:5";
  const auto pulls = observe_all({record});
  ASSERT_EQ(pulls.size(), 1U);
  EXPECT_FALSE(pulls.front().options.unpack);
  EXPECT_EQ(pulls.front().options.fixed_streams, 5U);
  EXPECT_DOUBLE_EQ(pulls.front().total, 1.0);
}

TEST(PullObservations, WaitingForATurnIsNoPartOfThePull) {
  auto record = unpacked_record();
  for (auto& phase : record.phases) {
    phase.start_ms += 500;
    phase.end_ms += 500;
  }
  record.phases.insert(record.phases.begin(), Phase{"queue", 0, 500});
  record.pull_ms += 500;
  *record.layers.back().unpack_end_ms += 500;
  EXPECT_DOUBLE_EQ(observe_all({record}).front().total, 1.4);
}

TEST(PullObservations, WhatSaysNothingIsLeftOut) {
  auto failed = unpacked_record(), mixed = failed, resumed = failed, adopted = failed, shared = failed;
  failed.state = "failed";
  mixed.mixed = true;
  resumed.resumed_bytes = 5;
  adopted.fetched_bytes = 0;
  shared.layers.back().origin = "shared";
  EXPECT_TRUE(observe_all({failed, mixed, resumed, adopted, shared}).empty());
  EXPECT_TRUE(observe_all({}).empty());
}

TEST(PullObservations, APathIsWhatItsPullsHaveShown) {
  auto slow = unpacked_record(), usual = slow, fast = slow;
  slow.hosts.front().best_bytes_per_second = 11e6;
  slow.hosts.front().rtt_ms = 12;
  usual.hosts.front().best_bytes_per_second = 14e6;
  fast.hosts.front().best_bytes_per_second = 20e6;
  for (auto* record : {&slow, &usual, &fast}) record->goodput_bytes_per_second = 1e6;
  const auto paths = known_paths({slow, usual, fast});
  ASSERT_EQ(paths.size(), 1U);
  const auto& path = paths.at("registry.example:443");
  EXPECT_NEAR(path.link_rate * adaptive::kWireEfficiency, 14e6, 1);
  EXPECT_EQ(path.rtt_blob, std::chrono::milliseconds(10));
  EXPECT_EQ(path.connection_cap, 0);
}

TEST(PullObservations, AWholeTransferSaysMoreOfThePathThanItsBestMoment) {
  auto record = unpacked_record();
  record.phases = {{"resolve", 0, 100}, {"connect", 100, 200}, {"fetch", 200, 2200}};
  record.hosts.front().best_bytes_per_second = 6e6;
  const auto paths = known_paths({record, unpacked_record()});
  EXPECT_NEAR(paths.at("registry.example:443").link_rate * adaptive::kWireEfficiency, 5e6, 1);
}

TEST(PullObservations, ARegistrysBlobsComeFromTheHostThatBringsTheMost) {
  auto record = unpacked_record();
  record.registry = "docker.io";
  record.hosts.front().host = "registry-1.docker.io:443";
  record.hosts.front().best_bytes_per_second = 1e3;
  record.hosts.push_back(record.hosts.front());
  record.hosts.back().host = "cdn.example:443";
  record.hosts.back().best_bytes_per_second = 13e6;
  auto once = record;
  once.hosts.back().host = "other.example:443";
  const std::vector<ColdStart> records = {once, record, record, unpacked_record()};
  const auto hosts = blob_hosts(records);
  ASSERT_EQ(hosts.size(), 2U);
  EXPECT_EQ(hosts.at("docker.io"), "cdn.example:443");
  EXPECT_EQ(hosts.at("registry.example"), "registry.example:443");
  const auto paths = known_paths(records);
  EXPECT_TRUE(paths.at("cdn.example:443").redirect);
  EXPECT_FALSE(paths.at("registry.example:443").redirect);
}

}  // namespace
}  // namespace paceline::records
