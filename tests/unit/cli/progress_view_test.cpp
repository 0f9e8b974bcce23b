#include "plugin/cli/progress_view.h"

#include <gtest/gtest.h>

#include "plugin/cli/format.h"
#include "tests/unit/cli/samples.h"

namespace paceline::cli {
namespace {

const TimePoint kBegin = TimePoint(std::chrono::hours(1));

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) out += line + "\n";
  return out;
}

TEST(Bar, IsEmptyHalfOrFull) {
  EXPECT_EQ(bar(0, 12), "[          ]");
  EXPECT_EQ(bar(0.5, 12), "[====>     ]");
  EXPECT_EQ(bar(1, 12), "[==========]");
  EXPECT_EQ(bar(0.999, 12), "[========> ]") << "full only when all is here";
  EXPECT_EQ(bar(7, 12), "[==========]");
  EXPECT_EQ(bar(-1, 4), "[  ]");
  EXPECT_EQ(bar(0.5, 2), "  ");
}

TEST(Frame, OneImageWithItsLayers) {
  ProgressModel model;
  model.update(fetching_pull("1", "docker.io/library/redis:7"), kBegin);
  EXPECT_EQ(joined(frame(model, {100, 24}, Style())),
            "docker.io/library/redis:7  [====>                      ]     20.0/100.0 MB    8.0 MB/s    6 streams\n"
            "  aaaaaaaaaaaa             already here  5.0 MB\n"
            "  bbbbbbbbbbbb             [========>                  ]      15.0/45.0 MB           -    6 streams\n"
            "  cccccccccccc             waiting  30.0 MB\n"
            "  dddddddddddd             waiting  20.0 MB\n"
            "[======>                               ]  0/1 image  20.0/100.0 MB  8.0 MB/s  6 streams  ETA 10s\n");
}

TEST(Frame, ALowScreenShowsTheLayersThatMove) {
  ProgressModel model;
  model.update(fetching_pull("1", "redis"), kBegin);
  const auto lines = frame(model, {100, 5}, Style());
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_TRUE(lines[1].starts_with("  bbbbbbbbbbbb")) << lines[1];
  EXPECT_EQ(lines[2], "  and 1 layer done, 2 to come");
}

TEST(Frame, ANarrowScreenDropsColumns) {
  ProgressModel model;
  model.update(fetching_pull("1", "docker.io/library/redis:7"), kBegin);
  EXPECT_EQ(frame(model, {60, 24}, Style())[0], "..o/library/redis:7  [>     ]     20.0/100.0 MB    8.0 MB/s");
  EXPECT_EQ(frame(model, {40, 24}, Style())[0], "...io/library/redis:7     20.0/100.0 MB");
}

TEST(Frame, NeverIsWiderOrHigherThanTheScreen) {
  ProgressModel model;
  for (int i = 0; i < 100; ++i) {
    const std::string id = std::to_string(i);
    const std::string image = "registry.example:5000/a/rather/long/name/of/an/image-" + id + ":1.2.3";
    model.update(i < 60 ? fetching_pull(id, image) : make_pull(id, image, v1::PULL_STATE_QUEUED), kBegin);
  }
  for (const unsigned columns : {1U, 2U, 10U, 20U, 33U, 50U, 64U, 80U, 120U, 300U}) {
    for (const unsigned rows : {1U, 2U, 3U, 4U, 5U, 10U, 24U, 70U, 200U}) {
      const auto lines = frame(model, {columns, rows}, Style(true));
      EXPECT_LE(lines.size(), std::max(rows, 4U) - 1) << columns << "x" << rows;
      for (const auto& line : lines) EXPECT_LT(display_width(line), std::max(columns, 2U)) << columns << "x" << rows;
    }
  }
}

TEST(Frame, AHundredImagesAreALineEach) {
  ProgressModel model;
  for (int i = 0; i < 60; ++i) model.update(fetching_pull(std::to_string(i), "image" + std::to_string(i)), kBegin);
  for (int i = 60; i < 100; ++i) {
    model.update(make_pull(std::to_string(i), "image" + std::to_string(i), v1::PULL_STATE_QUEUED), kBegin);
  }
  const auto lines = frame(model, {100, 24}, Style());
  ASSERT_EQ(lines.size(), 23U);
  EXPECT_TRUE(lines[0].starts_with("image0 ")) << lines[0];
  EXPECT_TRUE(lines[19].starts_with("image19 ")) << lines[19];
  EXPECT_EQ(lines[20], "and 40 more under way");
  EXPECT_EQ(lines[21], "and 40 more queued");
  EXPECT_NE(lines[22].find("0/100 images"), std::string::npos) << lines[22];
}

TEST(Frame, FinishedImagesAreNotShown) {
  ProgressModel model;
  model.update(make_pull("1", "redis", v1::PULL_STATE_DONE), kBegin);
  model.update(make_pull("2", "alpine", v1::PULL_STATE_RESOLVING), kBegin);
  EXPECT_EQ(joined(frame(model, {80, 24}, Style())),
            "alpine          resolving\n"
            "[==================>                   ]  1/2 images  -  0 streams  ETA -\n");
}

TEST(Summary, NamesFailures) {
  ProgressModel model;
  model.update(make_pull("1", "redis", v1::PULL_STATE_FAILED), kBegin);
  model.update(fetching_pull("2", "alpine"), kBegin);
  EXPECT_EQ(summary(model.totals()), "0/2 images, 1 failed  20.0/100.0 MB  8.0 MB/s  6 streams  ETA 10s");
}

TEST(Ending, SaysWhatItTook) {
  v1::Pull pull = make_pull("1", "redis", v1::PULL_STATE_DONE);
  pull.set_total_bytes(100'000'000);
  pull.set_fetched_bytes(50'000'000);
  pull.set_elapsed_ms(5000);
  EXPECT_EQ(ending(pull, Style()), "redis  done  50.0 MB fetched in 5.00s (10.0 MB/s), 50.0 MB already here");
  pull.set_resumed_bytes(50'000'000);
  pull.set_retries(1);
  EXPECT_EQ(ending(pull, Style()), "redis  done  50.0 MB fetched in 5.00s (10.0 MB/s), 50.0 MB resumed, 1 retry");
}

TEST(Ending, SaysWhyNotAndCannotSteerTheTerminal) {
  v1::Pull pull = make_pull("1", "redis", v1::PULL_STATE_FAILED);
  pull.mutable_error()->set_message("the registry says: \x1b[2Jgone");
  EXPECT_EQ(ending(pull, Style()), "redis  failed: the registry says:  [2Jgone");
}

}  // namespace
}  // namespace paceline::cli
