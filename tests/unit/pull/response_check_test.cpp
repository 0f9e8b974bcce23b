#include "plugin/pull/response_check.h"

#include <gtest/gtest.h>

namespace paceline::pull {
namespace {

constexpr AskedRange kPart{.first = 100, .end = 200, .size = 1000, .with_range = true};
constexpr AskedRange kWhole{.first = 0, .end = 1000, .size = 1000, .with_range = false};

Answer answer(int status, std::vector<net::Header> headers, const AskedRange& asked) {
  net::ResponseHead head;
  head.status = status;
  for (auto& header : headers) head.headers.add(header.name, header.value);
  return check_response(head, asked, WallTime{});
}

TEST(ResponseCheck, TheExactRangeIsData) {
  const auto got = answer(206, {{"Content-Range", "bytes 100-199/1000"}, {"Content-Length", "100"}}, kPart);
  EXPECT_EQ(got.verdict, Verdict::kData);
  EXPECT_EQ(got.body_offset, 100U);
  EXPECT_EQ(answer(206, {{"Content-Range", "bytes 100-199/*"}}, kPart).verdict, Verdict::kData);
}

TEST(ResponseCheck, AnyOtherRangeIsRefused) {
  for (const char* range : {"bytes 99-199/1000", "bytes 100-198/1000", "bytes 100-200/1000", "bytes 0-999/1000", "",
                            "bytes */1000", "items 100-199/1000", "bytes 199-100/1000", "bytes 100-199",
                            "bytes 18446744073709551615-18446744073709551615/1000"}) {
    EXPECT_EQ(answer(206, {{"Content-Range", range}}, kPart).verdict, Verdict::kRangeRefused) << range;
  }
  EXPECT_EQ(answer(206, {{"Content-Range", "bytes 100-199/1000"}, {"Content-Length", "50"}}, kPart).verdict,
            Verdict::kRangeRefused);
  EXPECT_EQ(answer(200, {{"Content-Length", "1000"}}, kPart).verdict, Verdict::kRangeRefused);
  EXPECT_EQ(answer(416, {}, kPart).verdict, Verdict::kRangeRefused);
  EXPECT_EQ(answer(206, {{"Content-Range", "bytes 0-999/1000"}}, kWhole).verdict, Verdict::kRangeRefused);
}

TEST(ResponseCheck, AnotherSizeIsNotTheBlob) {
  EXPECT_EQ(answer(206, {{"Content-Range", "bytes 100-199/999"}}, kPart).verdict, Verdict::kWrongSize);
  EXPECT_EQ(answer(200, {{"Content-Length", "999"}}, kWhole).verdict, Verdict::kWrongSize);
  EXPECT_EQ(answer(200, {{"Content-Length", "18446744073709551615"}}, kWhole).verdict, Verdict::kWrongSize);
}

TEST(ResponseCheck, AWholeBodyMayComeWithoutALength) {
  EXPECT_EQ(answer(200, {}, kWhole).verdict, Verdict::kData);
  EXPECT_EQ(answer(200, {{"Content-Length", "nonsense"}}, kWhole).verdict, Verdict::kData);
}

TEST(ResponseCheck, StatusesMeanWhatTheySay) {
  EXPECT_EQ(answer(307, {{"Location", "/there"}}, kPart).detail, "/there");
  EXPECT_EQ(answer(307, {{"Location", "/there"}}, kPart).verdict, Verdict::kRedirect);
  EXPECT_EQ(answer(302, {}, kPart).verdict, Verdict::kRefused);
  EXPECT_EQ(answer(401, {{"WWW-Authenticate", "Basic"}}, kPart).detail, "Basic");
  EXPECT_EQ(answer(403, {}, kPart).verdict, Verdict::kForbidden);
  EXPECT_EQ(answer(404, {}, kPart).verdict, Verdict::kNotFound);
  EXPECT_EQ(answer(429, {{"Retry-After", "7"}}, kPart).retry_after, std::chrono::seconds(7));
  EXPECT_EQ(answer(503, {}, kPart).verdict, Verdict::kThrottled);
  EXPECT_EQ(answer(500, {}, kPart).verdict, Verdict::kServerError);
  EXPECT_EQ(answer(418, {}, kPart).verdict, Verdict::kRefused);
}

}  // namespace
}  // namespace paceline::pull
