// analyze and compare as whole command lines, on OCI layouts; no daemon.
#include <gtest/gtest.h>

#include <limits>
#include <sstream>

#include "plugin/cli/analyze_views.h"
#include "plugin/cli/app.h"
#include "plugin/cli/image_options.h"
#include "plugin/cli/json.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/analyze/test_image.h"

namespace paceline::cli {
namespace {

using test::noise;
using test::TarWriter;

struct AnalyzeCommand : testing::Test {
  struct Said {
    int exit = 0;
    std::string out, err;
  };

  Said paceline(std::vector<std::string> words) const {
    words.insert(words.begin(), {"paceline", "--address", (dir.path() / "no.sock").string()});
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::ostringstream out, err;
    const int exit = run(static_cast<int>(words.size()), argv.data(), out, err);
    return {exit, out.str(), err.str()};
  }
  std::string layout(const std::string& name, const std::vector<std::string>& tars) const {
    test::write_layout(dir.path() / name, tars);
    return dir.path() / name;
  }

  test::TempDir dir;
  std::string image = layout("fat", {TarWriter().file("app", noise(900'000, 1)).finish(),
                                     TarWriter().file("var/lib/apt/lists/x", noise(100'000, 2)).finish()});
};

TEST_F(AnalyzeCommand, JsonHasTheFigures) {
  const auto said = paceline({"analyze", image, "--path", "10mbps-20ms", "--output", "json", "--files"});
  ASSERT_EQ(said.exit, 0) << said.err;
  const auto json = Json::parse(said.out);
  EXPECT_EQ(json["waste_sum"]["bytes"], 100'000);
  EXPECT_EQ(json["files_sum"]["bytes"], 1'000'000);
  EXPECT_EQ(json["layers"].size(), 2U);
  EXPECT_EQ(json["advice"][0]["id"], "apt-lists");
  EXPECT_GT(json["advice"][0]["saves_ms"], 10);
  EXPECT_EQ(json["waste_files"]["apt-lists"][1][0], "var/lib/apt/lists/x");
  EXPECT_EQ(json["path"], "10mbps-20ms");
  EXPECT_TRUE(json["model"]["median_error"].is_null());
}

TEST_F(AnalyzeCommand, TextAndPage) {
  const auto text = paceline({"analyze", image});
  ASSERT_EQ(text.exit, 0) << text.err;
  EXPECT_NE(text.out.find("on path 100mbps-35ms"), std::string::npos);
  EXPECT_NE(paceline({"analyze", image, "--path", "10mbps-20ms"}).out.find("apt's package lists"), std::string::npos);
  EXPECT_NE(text.out.find("model: the model's defaults"), std::string::npos);
  const auto page = paceline({"analyze", image, "--output", "html"});
  EXPECT_EQ(page.exit, 0);
  EXPECT_TRUE(page.out.starts_with("<!doctype html>"));
  EXPECT_NE(paceline({"analyze", image, "--output", "csv"}).exit, 0);
}

TEST_F(AnalyzeCommand, Gates) {
  EXPECT_EQ(paceline({"analyze", image, "--max-waste", "20%"}).exit, 0);
  EXPECT_EQ(paceline({"analyze", image, "--max-waste", "5%"}).exit, 6);
  EXPECT_EQ(paceline({"analyze", image, "--max-waste", "50KB"}).exit, 6);
  EXPECT_EQ(paceline({"analyze", image, "--max-waste", "1MB"}).exit, 0);
  EXPECT_EQ(paceline({"analyze", image, "--max-pull-time", "1h"}).exit, 0);
  const auto late = paceline({"analyze", image, "--path", "1mbps-20ms", "--max-pull-time", "500ms"});
  EXPECT_EQ(late.exit, 6);
  EXPECT_NE(late.err.find("above --max-pull-time 500ms"), std::string::npos);
  EXPECT_FALSE(late.out.empty());
}

TEST_F(AnalyzeCommand, WrongUsageAndMissingImages) {
  EXPECT_EQ(paceline({"analyze", image, "--path", "nonsense"}).exit, 2);
  for (const char* waste : {"many", "0x10%", " 10%", "101%", "%"}) {
    EXPECT_EQ(paceline({"analyze", image, "--max-waste", waste}).exit, 2) << waste;
  }
  EXPECT_EQ(paceline({"analyze", image, "--path", "registry"}).exit, 1);
  EXPECT_EQ(paceline({"analyze", "/no/such/file"}).exit, 4);
  EXPECT_EQ(paceline({"analyze", "registry.example/UPPER/case"}).exit, 2);
  EXPECT_EQ(paceline({"compare", image, "registry.example/app:not a tag"}).exit, 2);
  EXPECT_EQ(paceline({"compare", image, image, "--measure", "1"}).exit, 2);
}

TEST_F(AnalyzeCommand, OptionsAreCheckedBeforeAnythingIsRead) {
  const auto foreign = dir.write("foreign.json", "{}");
  for (const std::vector<std::string>& images : {std::vector<std::string>{"analyze", "/no/such/file"},
                                                 std::vector<std::string>{"compare", "/no/such/a", "/no/such/b"}}) {
    auto words = images;
    words.insert(words.end(), {"--path", "nonsense"});
    EXPECT_EQ(paceline(words).exit, 2);
    words = images;
    words.insert(words.end(), {"--calibration", foreign});
    EXPECT_NE(paceline(words).err.find("it is not what 'paceline calibrate"), std::string::npos);
  }
  // Of an image whose layers cannot be read.
  for (const auto& blob : std::filesystem::directory_iterator(dir.path() / "fat" / "blobs" / "sha256")) {
    if (blob.file_size() > 10'000) std::filesystem::remove(blob);
  }
  EXPECT_NE(paceline({"analyze", image, "--path", "registry"}).err.find("of no registry"), std::string::npos);
  EXPECT_NE(paceline({"analyze", image}).err.find("layer 1"), std::string::npos);
}

TEST_F(AnalyzeCommand, AMalformedDigestInTheStoreIsWrongUsage) {
  const auto said = paceline({"analyze", "--store", dir.path(), "sha256:12"});
  EXPECT_EQ(said.exit, 2);
  EXPECT_NE(said.err.find("digest '12' has 2 characters, expected 64 hex digits"), std::string::npos) << said.err;
}

TEST_F(AnalyzeCommand, ThePlatformThatIsAskedForCounts) {
  const auto archive = dir.write("app.tar", test::docker_archive({TarWriter().file("app", "text").finish()}));
  EXPECT_EQ(paceline({"analyze", archive, "--platform", "linux/amd64"}).exit, 0);
  const auto said = paceline({"analyze", archive, "--platform", "linux/riscv64"});
  EXPECT_EQ(said.exit, 4);
  EXPECT_NE(said.err.find("is not made for linux/riscv64, but for linux/amd64"), std::string::npos) << said.err;
}

TEST_F(AnalyzeCommand, TheDaemonsMirrorIsKnownFromItsConfiguration) {
  EXPECT_EQ(mirror_of(dir.path() / "absent.toml"), "127.0.0.1:5151");
  EXPECT_EQ(mirror_of(dir.write("other.toml", "[mirror]\naddress = \"127.0.0.1:7000\"\n")), "127.0.0.1:7000");
  EXPECT_EQ(mirror_of(dir.write("off.toml", "[mirror]\nenabled = false\n")), "");
}

TEST_F(AnalyzeCommand, Compare) {
  const std::string slim = layout("slim", {TarWriter().file("app", noise(900'000, 1)).finish()});
  const auto json = paceline({"compare", image, slim, "--path", "10mbps-20ms", "-o", "json"});
  ASSERT_EQ(json.exit, 0) << json.err;
  const auto said = Json::parse(json.out);
  EXPECT_EQ(said["shared_blobs"], 1);
  EXPECT_GT(said["a"]["predicted"]["total_ms"], said["b"]["predicted"]["total_ms"]);
  EXPECT_TRUE(said["a"]["measured"].is_null());
  const auto text = paceline({"compare", image, slim, "--path", "10mbps-20ms"});
  EXPECT_NE(text.out.find("less than A, most by its compressed bytes (-"), std::string::npos) << text.out;
  EXPECT_TRUE(paceline({"compare", image, slim, "-o", "html"}).out.starts_with("<!doctype html>"));
}

TEST(AnalyzeViews, EveryNumberOfSecondsIsAText) {
  EXPECT_EQ(seconds_text(1.5), "1.50s");
  EXPECT_EQ(seconds_text(1e30), seconds_text(std::numeric_limits<double>::infinity()));
  EXPECT_EQ(seconds_text(std::numeric_limits<double>::quiet_NaN()), "0.0ms");
}

TEST_F(AnalyzeCommand, CalibrateNeedsRecords) {
  EXPECT_EQ(paceline({"calibrate"}).exit, 3);
  const auto file = dir.write("records.jsonl", "");
  const auto said = paceline({"calibrate", "--records", file});
  EXPECT_EQ(said.exit, 1);
  EXPECT_NE(said.err.find("pull some images first"), std::string::npos);
}

}  // namespace
}  // namespace paceline::cli
