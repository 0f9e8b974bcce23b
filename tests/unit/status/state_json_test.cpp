#include "plugin/status/state_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/records/samples.h"

namespace paceline::status {
namespace {

using namespace std::chrono_literals;

pull::PullSnapshot pull_in(pull::PullState state) {
  pull::PullSnapshot pull;
  pull.id = "p1";
  pull.image = "registry.example/app:1";
  pull.state = state;
  pull.blobs.resize(3);
  pull.blobs[0].present = true;
  pull.blobs[1].streams = 4;
  pull.blobs[2].shared = true;
  return pull;
}

TEST(StateJson, HasPullsPathsAndStarts) {
  State state;
  state.version = "1.2";
  state.pulls = {pull_in(pull::PullState::kFetching)};
  state.paths.resize(1);
  state.paths[0].host = "registry.example:443";
  state.paths[0].rtt_seconds = 0.25;
  state.starts = {records::sample_record()};
  const auto json = nlohmann::json::parse(to_json(state));
  EXPECT_EQ(json["version"], "1.2");
  EXPECT_EQ(json["pulls"][0]["state"], "fetching");
  EXPECT_EQ(json["pulls"][0]["blobs"][0]["state"], "present");
  EXPECT_EQ(json["pulls"][0]["blobs"][1]["state"], "fetching");
  EXPECT_EQ(json["pulls"][0]["blobs"][1]["streams"], 4);
  EXPECT_EQ(json["pulls"][0]["blobs"][2]["state"], "shared");
  EXPECT_EQ(json["paths"][0]["rtt_ms"], 250);
  EXPECT_EQ(json["starts"][0]["phases"].size(), 4U);
  EXPECT_TRUE(json["starts"][0]["cold_start_ms"].is_null());
}

TEST(StateJson, OfEndedPullsOnlyFreshFailuresAreShown) {
  State state;
  state.now = WallTime(1h);
  auto done = pull_in(pull::PullState::kDone);
  done.finished = state.now;
  auto failed = pull_in(pull::PullState::kFailed);
  failed.finished = state.now - 30s;
  failed.error = Error{Code::kNotFound, "no such image"};
  auto old = failed;
  old.finished = state.now - 10min;
  state.pulls = {done, failed, old};
  const auto json = nlohmann::json::parse(to_json(state));
  ASSERT_EQ(json["pulls"].size(), 1U);
  EXPECT_EQ(json["pulls"][0]["error"], "no such image");
}

TEST(StateJson, WhatOthersNamedStaysText) {
  const std::string hostile = "\"}]<script>\n\xff";
  State state;
  auto pull = pull_in(pull::PullState::kFetching);
  pull.image = hostile;
  state.pulls = {pull};
  const auto json = nlohmann::json::parse(to_json(state));
  EXPECT_EQ(json["pulls"][0]["image"], "\"}]<script>\n\xef\xbf\xbd");
}

}  // namespace
}  // namespace paceline::status
