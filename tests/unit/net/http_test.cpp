#include "plugin/net/http.h"

#include <gtest/gtest.h>

namespace paceline::net {
namespace {

TEST(Headers, NamesCompareWithoutCase) {
  Headers headers;
  headers.add("Accept", "a");
  headers.add("ACCEPT", "b");
  headers.add("Range", "bytes=0-1");
  EXPECT_EQ(headers.get("accept"), "a");
  EXPECT_EQ(headers.all("aCCept").size(), 2U);
  headers.set("accept", "c");
  EXPECT_EQ(headers.all("Accept").size(), 1U);
  EXPECT_EQ(headers.get("Accept"), "c");
  headers.remove("RANGE");
  EXPECT_FALSE(headers.has("range"));
  EXPECT_EQ(headers.get("range"), "");
}

TEST(ContentRange, ParsesWhatServersSend) {
  const ContentRange range = parse_content_range("bytes 5-9/10").value();
  EXPECT_EQ(range.first, 5U);
  EXPECT_EQ(range.last, 9U);
  EXPECT_EQ(range.total, 10U);
  EXPECT_EQ(parse_content_range("Bytes 0-0/*").value().total, std::nullopt);
  EXPECT_EQ(parse_content_range(" bytes  0-0/1 ").value().last, 0U);
  EXPECT_EQ(parse_content_range("bytes 0-9223372036854775806/9223372036854775807").value().last, 9223372036854775806U);
}

TEST(ContentRange, RefusesTheMalformedAndTheImpossible) {
  for (const char* value : {"",
                            "bytes",
                            "bytes ",
                            "bytes */10",
                            "bytes 5-4/10",
                            "bytes 0-10/10",
                            "bytes 0-9/5",
                            "bytes -5/10",
                            "bytes 5-/10",
                            "bytes 0-9",
                            "bytes 0/9-10",
                            "bytes +0-9/10",
                            "bytes 0 - 9/10",
                            "bytes 0-9/10x",
                            "bytes 0-9/10, bytes 20-29/30",
                            "items 0-9/10",
                            "bytes=0-9/10",
                            "bytes 0x0-9/10",
                            "bytes 0-18446744073709551616/18446744073709551617",
                            "bytes 0-18446744073709551615/*",
                            "bytes 0-9/-1"}) {
    EXPECT_FALSE(parse_content_range(value)) << value;
  }
}

TEST(RetryAfter, ParsesSecondsAndDates) {
  const WallTime now = std::chrono::system_clock::from_time_t(784111777);  // Sun, 06 Nov 1994 08:49:37 GMT
  EXPECT_EQ(parse_retry_after("0", now), std::chrono::seconds(0));
  EXPECT_EQ(parse_retry_after(" 120 ", now), std::chrono::seconds(120));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:50:07 GMT", now), std::chrono::seconds(30));
  EXPECT_EQ(parse_retry_after("Sunday, 06-Nov-94 08:50:07 GMT", now), std::chrono::seconds(30));
  EXPECT_EQ(parse_retry_after("Sun Nov  6 08:50:07 1994", now), std::chrono::seconds(30));
}

TEST(RetryAfter, CapsAndIgnoresNonsense) {
  const WallTime now = std::chrono::system_clock::from_time_t(784111777);
  const auto hour = std::chrono::hours(1);
  EXPECT_EQ(parse_retry_after("999999999999999999999999", now), hour);
  EXPECT_EQ(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", now), hour);
  EXPECT_EQ(parse_retry_after("Sat, 05 Nov 1994 08:49:37 GMT", now), std::chrono::seconds(0));
  for (const char* value : {"", " ", "-1", "+5", "1.5", "5s", "soon", "Someday", "\r\n"}) {
    EXPECT_EQ(parse_retry_after(value, now), std::nullopt) << value;
  }
  EXPECT_EQ(parse_retry_after(std::string(5000, '9'), now), std::nullopt);
}

}  // namespace
}  // namespace paceline::net
