#include "plugin/unpack/entry_path.h"

#include <gtest/gtest.h>

namespace paceline::unpack {
namespace {

TEST(EntryPath, CleansAsGoDoes) {
  EXPECT_EQ(clean_path("./a//c/../b/"), "a/b");
  EXPECT_EQ(clean_path("/etc/./passwd"), "etc/passwd");
  EXPECT_EQ(clean_path("."), "");
  EXPECT_EQ(clean_path(""), "");
  EXPECT_EQ(clean_path("/"), "");
  EXPECT_EQ(clean_path("a/.."), "");
  EXPECT_EQ(clean_path("a/../../b/c/.."), "../b");
  EXPECT_EQ(clean_path("../../x/../y"), "../../y");
  EXPECT_EQ(clean_path("/../../x"), "x");
  EXPECT_EQ(clean_path("..a/...b"), "..a/...b");
}

TEST(EntryPath, ResolvesLinksInsideTheRoot) {
  EXPECT_EQ(resolve_path("usr", "lib"), "usr/lib");
  EXPECT_EQ(resolve_path("usr/share", "../lib/x"), "usr/lib/x");
  EXPECT_EQ(resolve_path("usr", "../../../etc"), "etc");
  EXPECT_EQ(resolve_path("usr", "/etc/../bin"), "bin");
  EXPECT_EQ(resolve_path("", "."), "");
}

TEST(EntryPath, RefusesWhatLeadsOut) {
  EXPECT_FALSE(parse_entry_path(".."));
  EXPECT_FALSE(parse_entry_path("../x"));
  EXPECT_FALSE(parse_entry_path("a/../../x"));
  EXPECT_TRUE(parse_entry_path("..x"));
}

TEST(EntryPath, RefusesWhatNoPathReaches) {
  EXPECT_FALSE(parse_entry_path(std::string(5000, 'a')));
  std::string deep;
  for (int i = 0; i < 300; ++i) deep += "d/";
  EXPECT_FALSE(parse_entry_path(deep));
}

TEST(EntryPath, TellsWhiteouts) {
  EXPECT_EQ(classify_whiteout("x").value(), Whiteout::kNone);
  EXPECT_EQ(classify_whiteout(".wh").value(), Whiteout::kNone);
  EXPECT_EQ(classify_whiteout(".wh.x").value(), Whiteout::kFile);
  EXPECT_EQ(classify_whiteout(".wh..wh..opq").value(), Whiteout::kOpaque);
  EXPECT_EQ(whiteout_target(".wh..x"), ".x");
  EXPECT_FALSE(classify_whiteout(".wh."));
  EXPECT_FALSE(classify_whiteout(".wh.."));
  EXPECT_FALSE(classify_whiteout(".wh..."));
}

TEST(EntryPath, PrintsNamesSafely) {
  EXPECT_EQ(printable("a\nb\"\x1b[31m"), "\"a\\x0ab\\x22\\x1b[31m\"");
  EXPECT_LT(printable(std::string(5000, 'a')).size(), 300U);
}

}  // namespace
}  // namespace paceline::unpack
