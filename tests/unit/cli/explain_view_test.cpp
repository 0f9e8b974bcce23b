#include "plugin/cli/explain_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "tests/unit/records/samples.h"

namespace paceline::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ExplainView, ShowsPhasesLayersStreamsAndTheBottleneck) {
  auto record = records::sample_record();
  record.lower_bound_ms = 800;
  record.ratio = 1.25;
  record.predicted_ms = {{1, 3000}};
  const auto text = explain_text(record, Style(), 100);
  for (const char* part : {"fetch", "verify", "ramp_double", "bottleneck: link", "1.25 times as long", "1: 3.00s"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(ExplainView, BarsStayWithinTheTerminal) {
  auto record = records::sample_record();
  record.streams.clear();
  for (const std::size_t width : {1U, 50U, 80U, 500U}) {
    std::istringstream lines(explain_text(record, Style(), width));
    for (std::string line; std::getline(lines, line);) {
      if (line.find("█") == std::string::npos) continue;
      EXPECT_LE(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }),
                static_cast<long>(std::max<std::size_t>(width, 50)));
    }
  }
}

TEST(ExplainView, NamesFromARegistryCannotSteerTheTerminal) {
  auto record = records::sample_record();
  record.image = "host/\x1b[31m";
  EXPECT_THAT(explain_text(record, Style(), 100), Not(HasSubstr("\x1b")));
}

TEST(ExplainView, AnEmptyRecordIsShownToo) { EXPECT_FALSE(explain_text({}, Style(), 80).empty()); }

}  // namespace
}  // namespace paceline::cli
