// Observations recorded from real pulls over the emulated link (tests/wan/record_trace.py), shown to a controller
// again. The path does not react to what it decides: these tests hold what must be true whatever it decided, and the
// verdict on a path whose nature the trace shows.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "adaptive/observation_trace.h"
#include "adaptive/ramp_hold_trim.h"

namespace paceline::adaptive {
namespace {

struct Trace {
  std::string name;
  PathFacts facts;
  std::vector<Observation> observations;
};

/// "# …" lines, then "begins,RTT_US,BYTES,LAYERS", then an observation a line.
Trace read_trace(const std::filesystem::path& path) {
  Trace trace{.name = path.stem().string(), .facts = {}, .observations = {}};
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("#")) continue;
    if (line.starts_with("begins,")) {
      std::istringstream text(line.substr(7));
      char comma = 0;
      std::int64_t rtt_us = 0;
      text >> rtt_us >> comma >> trace.facts.total_bytes >> comma >> trace.facts.layers;
      trace.facts.rtt = std::chrono::microseconds(rtt_us);
      continue;
    }
    const auto observation = from_line(line);
    EXPECT_TRUE(observation) << path << ": " << line;
    if (observation) trace.observations.push_back(*observation);
  }
  return trace;
}

std::vector<Trace> all_traces() {
  std::vector<Trace> traces;
  for (const auto& entry : std::filesystem::directory_iterator(PACELINE_TRACES)) {
    traces.push_back(read_trace(entry.path()));
  }
  return traces;
}

struct Replay {
  std::vector<Decision> decisions;
  std::set<Reason> reasons;
  PathProfile learned;
};

Replay replay(const Trace& trace, Limits limits) {
  RampHoldTrim controller(limits);
  Replay out;
  out.decisions.push_back(controller.initial(trace.facts));
  for (const Observation& o : trace.observations) out.decisions.push_back(controller.tick(o));
  for (const Decision& d : out.decisions) out.reasons.insert(d.reason);
  out.learned = controller.learned(0);
  return out;
}

TEST(ObservationTrace, LinesAreReadBack) {
  Observation o;
  o.now = std::chrono::milliseconds(1234);
  o.bytes = 5'000'000'000;
  o.rtt_base = std::chrono::microseconds(35'012);
  o.tail = true;
  o.throttled = 3;
  o.delivering = 7;
  const std::string line = to_line(o);
  EXPECT_EQ(line, "1234000,5000000000,35012,0,0,0,0,0,1,3,0,0,7");
  const auto back = from_line(line);
  ASSERT_TRUE(back);
  EXPECT_EQ(to_line(*back), line);
  for (const char* wrong : {"", "1,2", "1,2,3,4,5,6,7,8,9,10,11,12,x", "1,2,3,4,5,6,7,8,1,10,11,12,13,14",
                            "-1,2,3,4,5,6,7,8,1,10,11,12,13"}) {
    EXPECT_FALSE(from_line(wrong)) << wrong;
  }
}

TEST(RecordedTraces, DecideTheSameEveryTimeAndWithinBounds) {
  const auto traces = all_traces();
  ASSERT_GE(traces.size(), 4U);
  for (const Trace& trace : traces) {
    SCOPED_TRACE(trace.name);
    ASSERT_GT(trace.observations.size(), 20U);
    for (const unsigned most : {1U, 5U, 16U, 64U}) {
      const Replay once = replay(trace, Limits{most});
      const Replay again = replay(trace, Limits{most});
      ASSERT_EQ(once.decisions.size(), again.decisions.size());
      for (std::size_t i = 0; i < once.decisions.size(); ++i) {
        EXPECT_EQ(once.decisions[i].streams, again.decisions[i].streams);
        EXPECT_EQ(once.decisions[i].reason, again.decisions[i].reason);
        EXPECT_GE(once.decisions[i].streams, 1U);
        EXPECT_LE(once.decisions[i].streams, most);
      }
    }
    const Replay usual = replay(trace, Limits{});
    EXPECT_GT(usual.learned.goodput, 0);
    EXPECT_GT(usual.learned.rtt_min.count(), 0);
  }
}

TEST(RecordedTraces, AShortBufferThatDropsIsAFullPathToo) {
  // 200 Mbps, 2 ms: 50 packets of buffer are 3 ms, below what counts as a queue where nothing is lost.
  const std::filesystem::path folder(PACELINE_TRACES);
  const Replay near = replay(read_trace(folder / "200mbps-2ms.csv"), Limits{});
  EXPECT_TRUE(near.reasons.contains(Reason::kRampQueueFlat));
  EXPECT_LE(near.decisions.back().streams, 7U);
}

TEST(RecordedTraces, ACapOfEachConnectionIsToldFromAFullPath) {
  const std::filesystem::path folder(PACELINE_TRACES);
  // 200 Mbps, 2 ms, 5 Mbps a connection: the streams' own queues must not end the ramp.
  const Replay capped = replay(read_trace(folder / "200mbps-2ms-cap5.csv"), Limits{});
  EXPECT_TRUE(capped.reasons.contains(Reason::kRampEach) || capped.reasons.contains(Reason::kRampDouble));
  EXPECT_GE(capped.decisions.back().streams, 12U);
  // 10 Mbps, 100 ms: the queue is the path's.
  const Replay full = replay(read_trace(folder / "10mbps-100ms.csv"), Limits{});
  EXPECT_FALSE(full.reasons.contains(Reason::kRampEach));
}

}  // namespace
}  // namespace paceline::adaptive
