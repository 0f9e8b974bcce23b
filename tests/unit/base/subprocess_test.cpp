#include "plugin/base/subprocess.h"

#include <gtest/gtest.h>

namespace paceline {
namespace {

constexpr Duration kPatience = std::chrono::seconds(60);

Result<Ended> shell(const std::string& script, Duration timeout = kPatience, bool with_errors = false) {
  return run_program({"/bin/sh", {"-c", script}, "given", with_errors}, timeout, 64U << 10U);
}

TEST(Subprocess, TakesInputAndOutput) {
  const auto ended = shell("cat; echo lost >&2");
  ASSERT_TRUE(ended) << ended.error().message;
  EXPECT_TRUE(ended->succeeded());
  EXPECT_EQ(ended->output, "given");
  EXPECT_EQ(shell("echo kept >&2", kPatience, true)->output, "kept\n");
}

TEST(Subprocess, SaysHowItEnded) {
  EXPECT_EQ(shell("exit 3")->how(), "exit status 3");
  EXPECT_EQ(shell("kill -9 $$")->how(), "killed by signal 9");
  const auto absent = run_program({"/nowhere/program", {}, "", false}, kPatience, 1024);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Code::kNotFound);
}

TEST(Subprocess, TimeAndOutputAreBounded) {
  EXPECT_EQ(shell("sleep 600 & sleep 600", std::chrono::milliseconds(50)).error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(shell("yes").error().code, Code::kResourceExhausted);
}

TEST(Subprocess, FindsProgramsInWholeFoldersOnly) {
  EXPECT_EQ(find_program("sh", "::bin:.:/bin"), "/bin/sh");
  EXPECT_EQ(find_program("sh", "bin:."), "");
  EXPECT_EQ(find_program("no-such-program", "/bin"), "");
}

}  // namespace
}  // namespace paceline
