#include "plugin/pull/journal.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temp_dir.h"

namespace paceline::pull {
namespace {

TEST(Journal, RoundTrips) {
  const test::TempDir dir;
  Journal journal(dir.path() / "pulls.json");
  EXPECT_TRUE(journal.load().empty());
  ASSERT_TRUE(journal.save({{.image = "docker.io/library/redis:7",
                             .platform = "linux/arm64",
                             .manifest = sha256("m"),
                             .own_rights = false,
                             .foreground = true,
                             .pin = true,
                             .unpack = true}}));
  const auto back = journal.load();
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].image, "docker.io/library/redis:7");
  EXPECT_EQ(back[0].platform, "linux/arm64");
  EXPECT_EQ(back[0].manifest, sha256("m"));
  EXPECT_FALSE(back[0].own_rights);
  EXPECT_TRUE(back[0].foreground);
  EXPECT_TRUE(back[0].pin);
  EXPECT_TRUE(back[0].unpack);
}

TEST(Journal, DamageIsForgotten) {
  const test::TempDir dir;
  for (const char* text : {"", "{", "[]", R"({"pulls": 7})", R"({"pulls": [{}]})"}) {
    std::ofstream(dir.path() / "pulls.json", std::ios::trunc) << text;
    EXPECT_TRUE(Journal(dir.path() / "pulls.json").load().empty()) << text;
  }
}

}  // namespace
}  // namespace paceline::pull
