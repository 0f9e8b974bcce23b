#include "plugin/cli/format.h"

#include <gtest/gtest.h>

namespace paceline::cli {
namespace {

TEST(Format, NothingThatSteersATerminalIsPrintable) {
  EXPECT_EQ(printable("a\x1b[31mred\x07\r\n"), "a [31mred   ");
  EXPECT_EQ(printable("c1 \xc2\x9b 31m"), "c1   31m");
  EXPECT_EQ(printable("grün ✓"), "grün ✓");
}

TEST(Format, Rates) {
  EXPECT_EQ(format_rate(0), "-");
  EXPECT_EQ(format_rate(22'100'000), "22.1 MB/s");
  EXPECT_EQ(format_rate(-1), "-");
}

TEST(Format, PartsAreInTheUnitOfTheWhole) {
  EXPECT_EQ(format_part(0, 0), "0/0 B");
  EXPECT_EQ(format_part(17, 900), "17/900 B");
  EXPECT_EQ(format_part(500, 117'800'000), "0.0/117.8 MB");
  EXPECT_EQ(format_part(41'200'000, 117'800'000), "41.2/117.8 MB");
  EXPECT_EQ(format_part(1, 2'000'000'000), "0.0/2.0 GB");
}

TEST(Format, Seconds) {
  EXPECT_EQ(format_seconds(0), "0s");
  EXPECT_EQ(format_seconds(59.4), "59s");
  EXPECT_EQ(format_seconds(192), "3m12s");
  EXPECT_EQ(format_seconds(7500), "2h05m");
  EXPECT_EQ(format_seconds(3 * 86400 + 4 * 3600), "3d04h");
  EXPECT_EQ(format_seconds(-1), "-");
  EXPECT_EQ(format_seconds(1e300), "-");
}

TEST(Format, Ages) {
  EXPECT_EQ(format_age(0, 5000), "-");
  EXPECT_EQ(format_age(1000, 66'000), "1m05s");
  EXPECT_EQ(format_age(9000, 5000), "0s") << "a clock that went back";
}

TEST(Format, CountsAgreeInNumber) {
  EXPECT_EQ(count(0, "blob"), "0 blobs");
  EXPECT_EQ(count(1, "blob"), "1 blob");
  EXPECT_EQ(count(2, "blob"), "2 blobs");
}

TEST(Format, WidthCountsWhatIsSeen) {
  EXPECT_EQ(display_width("\x1b[31mgrün\x1b[0m"), 4U);
  EXPECT_EQ(pad_right("\x1b[1mab\x1b[0m", 4), "\x1b[1mab\x1b[0m  ");
  EXPECT_EQ(pad_left("ab", 4), "  ab");
  EXPECT_EQ(pad_left("abcde", 4), "abcde");
}

TEST(Format, FitKeepsTheEndOfAName) {
  EXPECT_EQ(fit("docker.io/library/redis:7", 25), "docker.io/library/redis:7");
  EXPECT_EQ(fit("docker.io/library/redis:7", 12), "..ry/redis:7");
  EXPECT_EQ(fit("redis", 2), "is");
  EXPECT_EQ(fit("redis", 0), "");
}

TEST(Format, ClipClosesColours) {
  EXPECT_EQ(clip("abcdef", 3), "abc");
  EXPECT_EQ(clip("\x1b[31mabcdef\x1b[0m", 3), "\x1b[31mabc\x1b[0m");
  EXPECT_EQ(clip("\x1b[31mab\x1b[0mcd", 3), "\x1b[31mab\x1b[0mc");
  EXPECT_EQ(clip("grün", 3), "grü");
}

TEST(Format, ShortDigest) {
  EXPECT_EQ(short_digest("sha256:0123456789abcdef"), "0123456789ab");
  EXPECT_EQ(short_digest("odd"), "odd");
}

}  // namespace
}  // namespace paceline::cli
