#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugin/cli/report_model.h"
#include "plugin/cli/report_statistics.h"
#include "plugin/cli/report_views.h"

namespace paceline::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

v1::RecordSummary pull(const std::string& policy, double ms, const std::string& image = "host/app:1") {
  v1::RecordSummary record;
  record.set_pull_id("p");
  record.set_image(image);
  record.set_registry("host");
  record.set_policy(policy);
  record.set_source("foreground");
  record.set_state("done");
  record.set_pull_ms(ms);
  record.set_total_bytes(1000);
  record.set_fetched_bytes(1000);
  record.set_lower_bound_ms(ms / 2);
  return record;
}

/// Times around `middle`, a few per cent apart, the same each time.
void add(std::vector<v1::RecordSummary>& records, const std::string& policy, double middle, int number,
         const std::string& image = "host/app:1") {
  for (int i = 0; i < number; ++i) records.push_back(pull(policy, middle * (1 + 0.01 * ((i * 7) % 11 - 5)), image));
}

TEST(ReportStatistics, QuantilesLieBetweenNeighbours) {
  EXPECT_EQ(quantile({}, 0.5), 0);
  EXPECT_EQ(quantile({3}, 0.99), 3);
  EXPECT_EQ(quantile({1, 2, 3, 4}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile({0, 10}, 0.9), 9);
}

TEST(ReportStatistics, AnIntervalHoldsItsMedianAndIsAlwaysTheSame) {
  std::vector<double> values;
  for (int i = 0; i < 51; ++i) values.push_back(100 + (i * 17) % 51);
  const auto one = statistics(values), two = statistics(values);
  ASSERT_TRUE(one.median_interval);
  EXPECT_LE(one.median_interval->low, one.median);
  EXPECT_GE(one.median_interval->high, one.median);
  EXPECT_EQ(one.median_interval->low, two.median_interval->low);
  EXPECT_FALSE(statistics({1, 2, 3, 4}).median_interval);
}

TEST(Report, NamesTheFasterPolicyWithItsInterval) {
  std::vector<v1::RecordSummary> records;
  add(records, "adaptive", 1000, 12);
  add(records, "fixed:3", 1500, 12);
  const auto report = make_report(records, GroupBy::kPolicy);
  ASSERT_EQ(report.rows.size(), 2U);
  EXPECT_EQ(report.rows[0].group, "adaptive");
  EXPECT_TRUE(report.rows[0].best);
  ASSERT_TRUE(report.rows[1].versus_best);
  EXPECT_TRUE(report.rows[1].versus_best->certain());
  EXPECT_THAT(report_table(report, Style()), HasSubstr("adaptive is faster: fixed:3 takes 50 % longer (95 %: "));
}

TEST(Report, SaysWhenTheDataCannotTell) {
  std::vector<v1::RecordSummary> records;
  add(records, "adaptive", 1000, 12);
  add(records, "fixed:3", 1003, 12);
  add(records, "fixed:5", 1500, 3);
  const auto text = report_table(make_report(records, GroupBy::kPolicy), Style());
  EXPECT_THAT(text, HasSubstr("the data cannot tell"));
  EXPECT_THAT(text, HasSubstr("fixed:5: too few pulls to tell"));
  EXPECT_THAT(text, Not(HasSubstr("is faster")));
}

TEST(Report, APolicyThatHadTheSmallImagesGainsNothing) {
  std::vector<v1::RecordSummary> records;
  add(records, "adaptive", 9000, 10, "host/large:1");
  add(records, "adaptive", 900, 2, "host/small:1");
  add(records, "fixed:3", 10000, 2, "host/large:1");
  add(records, "fixed:3", 1000, 10, "host/small:1");
  const auto report = make_report(records, GroupBy::kPolicy);
  EXPECT_EQ(report.rows[0].group, "adaptive") << "its median is longer, and each image is faster with it";
}

TEST(Report, LeavesOutWhatComparesNothingAndSaysSo) {
  std::vector<v1::RecordSummary> records;
  add(records, "adaptive", 1000, 5);
  records.push_back(pull("adaptive", 1));
  records.back().set_mixed(true);
  records.push_back(pull("adaptive", 1));
  records.back().set_state("failed");
  records.push_back(pull("adaptive", 1));
  records.back().set_fetched_bytes(0);
  const auto report = make_report(records, GroupBy::kPolicy);
  EXPECT_EQ(report.rows.front().pull.count, 5U);
  EXPECT_THAT(report_table(report, Style()), HasSubstr("Left out: 1 that fetched nothing, 1 that shared"));
}

TEST(Report, GroupsByImageAndRegistryWithoutAVerdict) {
  std::vector<v1::RecordSummary> records;
  add(records, "adaptive", 1000, 5, "host/a:1");
  add(records, "adaptive", 500, 5, "host/b:1");
  const auto report = make_report(records, GroupBy::kImage);
  ASSERT_EQ(report.rows.size(), 2U);
  EXPECT_EQ(report.rows[0].group, "host/b:1");
  EXPECT_TRUE(report.verdicts.empty());
  EXPECT_EQ(make_report(records, GroupBy::kRegistry).rows.size(), 1U);
}

TEST(ReportViews, NothingYetIsASentence) {
  EXPECT_THAT(report_table(make_report({}, GroupBy::kPolicy), Style()), HasSubstr("No pull to report on yet."));
}

TEST(ReportViews, HostileNamesAreTextEverywhere) {
  std::vector<v1::RecordSummary> records = {pull("adaptive", 1000, "host/<b>\"x\",\x1b[31m:1")};
  const auto report = make_report(records, GroupBy::kImage);
  EXPECT_THAT(report_html(report), HasSubstr("&lt;b&gt;"));
  EXPECT_THAT(report_html(report), Not(HasSubstr("http")));
  EXPECT_THAT(report_csv(report), HasSubstr("\"host/<b>\"\"x\"\","));
  EXPECT_THAT(report_table(report, Style()), Not(HasSubstr("\x1b")));
}

TEST(ReportViews, JsonHasEveryField) {
  std::vector<v1::RecordSummary> records;
  add(records, "adaptive", 1000, 6);
  add(records, "fixed:3", 2000, 6);
  const auto rows = report_json(make_report(records, GroupBy::kPolicy));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_TRUE(rows[0]["longer_than_best"].is_null());
  EXPECT_TRUE(rows[1]["longer_than_best"]["certain"].get<bool>());
  EXPECT_TRUE(rows[0]["cold_start"]["median_ms"].is_null());
  EXPECT_EQ(rows[0]["pull"]["count"], 6);
}

}  // namespace
}  // namespace paceline::cli
