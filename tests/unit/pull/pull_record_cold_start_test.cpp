#include <gtest/gtest.h>

#include "plugin/pull/pull_record.h"

namespace paceline::pull {
namespace {

using std::chrono::milliseconds;

class HandClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return now_; }
  [[nodiscard]] WallTime wall() const override { return WallTime(now_.time_since_epoch()); }
  void pass(int ms) { now_ += milliseconds(ms); }

 private:
  TimePoint now_{std::chrono::seconds(1000)};
};

class PullRecordColdStart : public testing::Test {
 protected:
  PullRecord::Request request(Source source) const {
    PullRecord::Request out;
    out.image = oci::Reference::parse("registry.example/team/app:1").value();
    out.source = source;
    out.foreground = source == Source::kMirror;
    out.policy = "adaptive";
    return out;
  }

  oci::Descriptor blob() const {
    oci::Descriptor out;
    out.digest = digest_;
    out.size = 1000;
    return out;
  }

  /// Phases that follow each other from 0 to the end.
  static std::string shape(const records::ColdStart& record) {
    std::string out;
    double at = 0;
    for (const auto& phase : record.phases) {
      EXPECT_DOUBLE_EQ(phase.start_ms, at) << phase.name;
      at = phase.end_ms;
      out += phase.name + ":" + std::to_string(static_cast<int>(phase.end_ms - phase.start_ms)) + " ";
    }
    EXPECT_DOUBLE_EQ(at, record.pull_ms);
    return out;
  }

  void fetch(PullRecord& record) {
    record.fetching(digest_, {blob()});
    const auto counters = std::make_shared<BlobCounters>();
    record.blob_in_flight(0, counters, true);
    clock_.pass(50);
    counters->first_byte = clock_.now().time_since_epoch().count();
    clock_.pass(200);
    counters->last_byte = clock_.now().time_since_epoch().count();
    counters->fetched = 1100;
    clock_.pass(10);
    record.blob_landed(0, {});
  }

  HandClock clock_;
  const Digest digest_ = Digest::parse("sha256:" + std::string(64, 'c')).value();
};

TEST_F(PullRecordColdStart, APrefetchGoesThroughAllPhases) {
  PullRecord record(1, "p", request(Source::kPrefetch), clock_);
  clock_.pass(5);
  record.resolving();
  clock_.pass(100);
  record.documented(milliseconds(30));
  clock_.pass(20);
  fetch(record);
  record.finish({}, {});
  const auto out = record.cold_start(16).record;
  EXPECT_EQ(shape(out), "queue:5 token:30 resolve:70 manifest:20 connect:50 fetch:200 verify:10 ");
  EXPECT_EQ(out.source, "prefetch");
  EXPECT_EQ(out.state, "done");
  EXPECT_EQ(out.wasted_bytes, 100U);
  EXPECT_EQ(out.layers.front().origin, "fetched");
}

TEST_F(PullRecordColdStart, ACallerOfTheMirrorBeganWithItsFirstRequest) {
  auto wanted = request(Source::kMirror);
  wanted.began = clock_.now();
  wanted.token = milliseconds(300);
  clock_.pass(400);
  PullRecord record(1, "p", std::move(wanted), clock_);
  record.documented(Duration{0});
  fetch(record);
  record.finish({}, {});
  const auto out = record.cold_start(16).record;
  EXPECT_EQ(shape(out), "token:300 resolve:100 connect:50 fetch:200 verify:10 ");
  EXPECT_EQ(out.source, "foreground");
  EXPECT_EQ(out.started_unix_ms, 1'000'000);
}

TEST_F(PullRecordColdStart, WhatIsAllHereIsAdopted) {
  PullRecord record(1, "p", request(Source::kMirror), clock_);
  clock_.pass(10);
  record.documented(Duration{0});
  record.fetching(digest_, {blob()});
  record.blob_present(0);
  record.finish({}, {});
  const auto out = record.cold_start(16).record;
  EXPECT_EQ(shape(out), "resolve:10 ");
  EXPECT_EQ(out.source, "adopted");
}

TEST_F(PullRecordColdStart, AFailureEndsInThePhaseItHappenedIn) {
  PullRecord record(1, "p", request(Source::kPrefetch), clock_);
  record.resolving();
  clock_.pass(40);
  record.finish({}, Error{Code::kNotFound, "no such image"});
  const auto out = record.cold_start(16).record;
  EXPECT_EQ(shape(out), "resolve:40 ");
  EXPECT_EQ(out.error, "NOT_FOUND");
  EXPECT_EQ(out.state, "failed");
}

TEST_F(PullRecordColdStart, TheModelSpeaksOnlyOfWhatWasFetched) {
  PullRecord record(1, "p", request(Source::kPrefetch), clock_);
  record.resolving();
  record.documented({});
  PullTrace::Look look;
  look.at = clock_.now();
  look.streams = 4;
  look.rtt = milliseconds(10);
  look.queue = milliseconds(50);
  look.bytes_per_second = 5000;
  record.trace->look("host:443", look);
  fetch(record);
  record.finish({}, {});
  const auto out = record.cold_start(16).record;
  EXPECT_GT(out.lower_bound_ms, 0);
  EXPECT_EQ(out.predicted_ms.size(), 6U);
  EXPECT_GE(out.predicted_ms.at(1), out.predicted_ms.at(10));
}

}  // namespace
}  // namespace paceline::pull
