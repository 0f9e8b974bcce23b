#include "plugin/net/head_parser.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace paceline::net {
namespace {

/// Whether the lines complete a head.
bool feed(HeadParser& parser, std::initializer_list<std::string_view> lines) {
  bool complete = false;
  for (const std::string_view line : lines) complete = parser.line(line).value();
  return complete;
}

TEST(HeadParser, CompletesAtTheBlankLine) {
  HeadParser parser;
  EXPECT_FALSE(feed(parser, {"HTTP/1.1 206 Partial Content\r\n", "Content-Range:  bytes 0-1/2 \r\n", "Empty:\r\n"}));
  EXPECT_TRUE(feed(parser, {"\r\n"}));
  EXPECT_EQ(parser.head().status, 206);
  EXPECT_EQ(parser.head().headers.get("content-range"), "bytes 0-1/2");
  EXPECT_TRUE(parser.head().headers.has("Empty"));
}

TEST(HeadParser, SkipsInterimHeads) {
  HeadParser parser;
  EXPECT_FALSE(feed(parser, {"HTTP/1.1 103 Early Hints\r\n", "Link: x\r\n", "\r\n"}));
  EXPECT_TRUE(feed(parser, {"HTTP/2 404 \r\n", "\r\n"}));
  EXPECT_EQ(parser.head().status, 404);
  EXPECT_FALSE(parser.head().headers.has("Link"));
}

TEST(HeadParser, TrailersAreIgnored) {
  HeadParser parser;
  EXPECT_TRUE(feed(parser, {"HTTP/1.1 200 OK\r\n", "\r\n"}));
  EXPECT_FALSE(feed(parser, {"Content-Length: 5\r\n", "\r\n"}));
  EXPECT_FALSE(parser.head().headers.has("Content-Length"));
}

TEST(HeadParser, AFieldIsNoStatusLine) {
  HeadParser parser;
  EXPECT_TRUE(feed(parser, {"HTTP/1.1 200 OK\r\n", "HTTP/1.1: 500\r\n", "\r\n"}));
  EXPECT_EQ(parser.head().status, 200);
}

TEST(HeadParser, RefusesMalformedAndEndlessHeads) {
  HeadParser folded;
  EXPECT_FALSE(feed(folded, {"HTTP/1.1 200 OK\r\n", "A: b\r\n"}));
  EXPECT_FALSE(folded.line(" c\r\n"));
  HeadParser nameless;
  EXPECT_FALSE(feed(nameless, {"HTTP/1.1 200 OK\r\n"}));
  EXPECT_FALSE(nameless.line(": value\r\n"));
  HeadParser endless;
  EXPECT_FALSE(feed(endless, {"HTTP/1.1 200 OK\r\n"}));
  const std::string line = "X: " + std::string(10000, 'x') + "\r\n";
  Result<bool> result = false;
  for (int i = 0; i < 100 && result; ++i) result = endless.line(line);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kResourceExhausted);
}

}  // namespace
}  // namespace paceline::net
