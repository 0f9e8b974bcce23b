#include "plugin/cli/pull_display.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <sstream>

#include "plugin/base/fd.h"
#include "tests/unit/cli/samples.h"

namespace paceline::cli {
namespace {

class ManualClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return now_; }
  [[nodiscard]] WallTime wall() const override { return {}; }
  TimePoint now_ = TimePoint(std::chrono::hours(1));
};

class PullDisplayTest : public testing::Test {
 protected:
  PullDisplay make(Options::Format format, bool endless = false) {
    options_.format = format;
    output_.emplace(options_, nowhere_, nowhere_, out, err);
    return {*output_, clock, endless};
  }

  ManualClock clock;
  std::ostringstream out, err;

 private:
  UniqueFd null_{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  Terminal nowhere_{null_.get()};
  Options options_;
  std::optional<Output> output_;
};

TEST_F(PullDisplayTest, WithoutATerminalALineEveryTenSecondsAndOneAnImage) {
  auto display = make(Options::Format::kTable);
  display.event(fetching_pull("1", "redis"));
  display.event(make_pull("2", "alpine", v1::PULL_STATE_QUEUED));
  EXPECT_EQ(out.str(), "");
  clock.now_ += std::chrono::seconds(10);
  display.event(fetching_pull("1", "redis"));
  EXPECT_EQ(out.str(), "0/2 images  20.0/100.0 MB  8.0 MB/s  6 streams  ETA -\n");
  display.event(fetching_pull("1", "redis"));
  display.event(make_pull("1", "redis", v1::PULL_STATE_DONE));
  display.event(make_pull("2", "alpine", v1::PULL_STATE_DONE));
  display.end();
  EXPECT_EQ(out.str(),
            "0/2 images  20.0/100.0 MB  8.0 MB/s  6 streams  ETA -\n"
            "redis  done  0 B fetched in 0.0ms\n"
            "alpine  done  0 B fetched in 0.0ms\n"
            "2/2 images  -  0 streams  ETA -\n");
  EXPECT_EQ(display.exit(), Exit::kOk);
}

TEST_F(PullDisplayTest, AFailureGoesToStandardErrorAndIntoTheExitCode) {
  auto display = make(Options::Format::kTable);
  v1::Pull failed = make_pull("1", "redis", v1::PULL_STATE_FAILED);
  failed.mutable_error()->set_code("NOT_FOUND");
  failed.mutable_error()->set_message("no such image");
  display.event(failed);
  display.end();
  EXPECT_EQ(out.str(), "");
  EXPECT_EQ(err.str(), "error: redis: no such image\n");
  EXPECT_EQ(display.exit(), Exit::kNotFound);
  failed.set_pull_id("2");
  failed.mutable_error()->set_code("UNAUTHENTICATED");
  display.event(failed);
  EXPECT_EQ(display.exit(), Exit::kFailed);
}

TEST_F(PullDisplayTest, JsonIsALineAnEvent) {
  auto display = make(Options::Format::kJson);
  display.event(fetching_pull("1", "redis"));
  display.event(make_pull("1", "redis", v1::PULL_STATE_DONE));
  display.end();
  std::istringstream lines(out.str());
  std::string first, second, third;
  std::getline(lines, first);
  std::getline(lines, second);
  EXPECT_FALSE(std::getline(lines, third));
  EXPECT_EQ(Json::parse(first)["state"], "fetching");
  EXPECT_EQ(Json::parse(first)["blobs"].size(), 4U);
  EXPECT_EQ(Json::parse(second)["state"], "done");
}

TEST_F(PullDisplayTest, KnowsWhatGoesOn) {
  auto display = make(Options::Format::kTable);
  display.event(make_pull("1", "redis", v1::PULL_STATE_QUEUED));
  display.event(make_pull("2", "alpine", v1::PULL_STATE_DONE));
  EXPECT_EQ(display.unfinished(), std::vector<std::string>{"1"});
}

}  // namespace
}  // namespace paceline::cli
