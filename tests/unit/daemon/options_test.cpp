#include "plugin/daemon/options.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace paceline::daemon {
namespace {

std::variant<Options, Exit> parse(std::vector<std::string> words) {
  words.insert(words.begin(), "pacelined");
  std::vector<char*> argv;
  argv.reserve(words.size());
  for (auto& word : words) argv.push_back(word.data());
  return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

TEST(Options, CommandsAndFlags) {
  auto options = std::get<Options>(parse({}));
  EXPECT_EQ(options.command, Options::Command::kRun);
  EXPECT_EQ(options.config_file, "/etc/paceline/config.toml");
  EXPECT_FALSE(options.config_named);

  options =
      std::get<Options>(parse({"--config", "/c.toml", "--root", "/r", "--address", "/a", "--log-level", "debug"}));
  EXPECT_EQ(options.config_file, "/c.toml");
  EXPECT_TRUE(options.config_named);
  EXPECT_EQ(options.root, "/r");
  EXPECT_EQ(options.address, "/a");
  EXPECT_EQ(options.log_level, "debug");

  EXPECT_EQ(std::get<Options>(parse({"config", "default"})).command, Options::Command::kConfigDefault);
  EXPECT_EQ(std::get<Options>(parse({"config", "reference"})).command, Options::Command::kConfigReference);
  options = std::get<Options>(parse({"config", "check", "/f.toml"}));
  EXPECT_EQ(options.command, Options::Command::kConfigCheck);
  EXPECT_EQ(options.config_file, "/f.toml");
  EXPECT_TRUE(options.config_named);
}

TEST(Options, MistakesAndQuestionsEndAtOnce) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  EXPECT_EQ(std::get<Exit>(parse({"--bogus"})), Exit::kUsage);
  EXPECT_EQ(std::get<Exit>(parse({"bogus"})), Exit::kUsage);
  EXPECT_EQ(std::get<Exit>(parse({"config"})), Exit::kUsage);
  EXPECT_EQ(std::get<Exit>(parse({"--root"})), Exit::kUsage);
  EXPECT_EQ(std::get<Exit>(parse({"--version"})), Exit::kOk);
  EXPECT_EQ(std::get<Exit>(parse({"--help"})), Exit::kOk);
  EXPECT_NE(testing::internal::GetCapturedStdout().find("pacelined " PACELINE_VERSION), std::string::npos);
  testing::internal::GetCapturedStderr();
}

TEST(Settings, TheCommandLineWinsOverTheFile) {
  const test::TempDir dir;
  Options options;
  options.config_file = dir.write("config.toml", "root = \"/from/file\"\naddress = \"/file.sock\"\n");
  options.config_named = true;
  options.root = "/from/\"flag\"";
  options.log_level = "debug";
  const auto settings = load_settings(options);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->root, "/from/\"flag\"");
  EXPECT_EQ(settings->address, "/file.sock");
  EXPECT_EQ(settings->log.level, "debug");
}

TEST(Settings, OnlyTheDefaultFileMayBeMissing) {
  Options options;
  options.config_file = "/nonexistent/config.toml";
  EXPECT_EQ(*load_settings(options), config::Config());
  options.config_named = true;
  const auto named = load_settings(options);
  ASSERT_FALSE(named);
  EXPECT_NE(named.error().message.find("/nonexistent/config.toml"), std::string::npos);
}

TEST(Settings, FlagsAreChecked) {
  Options options;
  options.config_file = "/nonexistent/config.toml";
  options.log_level = "loud";
  const auto settings = load_settings(options);
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().message.find("--log-level: \"loud\" must be one of trace, "), 0U)
      << settings.error().message;
  options.root = "rel";
  EXPECT_EQ(load_settings(options).error().message.find("--root: \"rel\" must be an absolute path\n--log-level: "), 0U);
}

}  // namespace
}  // namespace paceline::daemon
