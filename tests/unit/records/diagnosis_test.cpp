#include "plugin/records/diagnosis.h"

#include <gtest/gtest.h>

#include "tests/unit/records/samples.h"

namespace paceline::records {
namespace {

/// With phases of these lengths, one behind the other.
ColdStart with_phases(const std::vector<std::pair<std::string, double>>& lengths) {
  ColdStart record = sample_record();
  record.phases.clear();
  double at = 0;
  for (const auto& [name, length] : lengths) {
    record.phases.push_back({name, at, at + length});
    at += length;
  }
  record.pull_ms = at;
  return record;
}

TEST(Diagnosis, AQueueInThePathIsTheLink) {
  const auto diagnosis = diagnose(sample_record());
  EXPECT_EQ(diagnosis.bottleneck, Bottleneck::kLink);
  EXPECT_FALSE(diagnosis.evidence.empty());
}

TEST(Diagnosis, FewBytesOverAFarPathAreLatency) {
  ColdStart record = sample_record();
  record.hosts.front().rtt_ms = 150;
  record.fetched_bytes = 200'000;
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kLatency);
}

TEST(Diagnosis, NoQueueAndCleanIsACapOfEachConnection) {
  ColdStart record = sample_record();
  record.hosts.front().queue_ms = 0;
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kConnectionCap);
}

TEST(Diagnosis, AProbeThatBroughtAsMuchAsItAddedIsACapThoughAQueueStands) {
  ColdStart record = sample_record();
  record.streams.push_back({500, record.hosts.front().host, 12, "ramp_each"});
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kConnectionCap);
}

TEST(Diagnosis, EvenStreamsWithoutLossAreEachAtTheirCapThoughAQueueStands) {
  ColdStart record = sample_record();
  record.hosts.front().stream_spread = 0.05;
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kConnectionCap);
  record.hosts.front().stream_spread = 0.4;
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kLink) << "they compete";
  record.hosts.front().stream_spread = 0.05;
  record.hosts.front().out_of_order = 700;
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kLink) << "a pacer drops nothing";
}

TEST(Diagnosis, HolesInTheSegmentsAreLoss) {
  ColdStart record = sample_record();
  record.hosts.front().queue_ms = 0;
  record.hosts.front().out_of_order = 700;
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kLoss);
}

TEST(Diagnosis, SilenceThatTheRegistryAskedForIsThrottling) {
  ColdStart record = sample_record();
  record.hosts.front().throttled = 2;
  record.hosts.front().silent_ms = 500;
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kThrottle);
}

TEST(Diagnosis, SlowWritesAreTheDisk) {
  ColdStart record = sample_record();
  record.write_ms = 700;
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kDisk);
}

TEST(Diagnosis, ALongVerifyIsTheDisk) {
  EXPECT_EQ(diagnose(with_phases({{"resolve", 100}, {"fetch", 300}, {"verify", 900}})).bottleneck, Bottleneck::kDisk);
}

TEST(Diagnosis, AllCoresBusyIsTheCpu) {
  ColdStart record = sample_record();
  record.cpu_ms = 1900;
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kCpu);
}

TEST(Diagnosis, ALongTokenIsTheTokenServer) {
  EXPECT_EQ(diagnose(with_phases({{"token", 900}, {"resolve", 100}, {"fetch", 300}})).bottleneck,
            Bottleneck::kTokenServer);
}

TEST(Diagnosis, ALongManifestIsTheRegistryUnlessItIsFar) {
  ColdStart record = with_phases({{"resolve", 900}, {"fetch", 300}});
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kRegistry);
  record.hosts.front().rtt_ms = 150;
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kLatency);
}

TEST(Diagnosis, WhatFollowsThePullIsUnpackingOrTheRuntime) {
  ColdStart record = with_phases({{"fetch", 300}, {"unpack", 900}, {"containerd", 100}, {"start", 100}});
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kUnpack);
  record = with_phases({{"fetch", 300}, {"containerd", 900}});
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kUnpack) << "containerd unpacks itself";
  record.layers.front().unpack_end_ms = 300;
  EXPECT_EQ(diagnose(record).bottleneck, Bottleneck::kContainerd);
  EXPECT_EQ(diagnose(with_phases({{"fetch", 300}, {"start", 900}})).bottleneck, Bottleneck::kStart);
}

TEST(Diagnosis, AnEmptyRecordSaysNothing) {
  const auto diagnosis = diagnose(ColdStart{});
  EXPECT_EQ(diagnosis.bottleneck, Bottleneck::kNothing);
  EXPECT_FALSE(diagnosis.verdict.empty());
}

}  // namespace
}  // namespace paceline::records
