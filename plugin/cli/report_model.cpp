#include "plugin/cli/report_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace paceline::cli {
namespace {

struct Group {
  std::vector<double> pulls, cold_starts, ratios;
  std::vector<double>
      even;  ///< Pull times in parts of the image's median: a policy that had the small images gains nothing.
};

const std::string& key(const v1::RecordSummary& record, GroupBy by) {
  if (by == GroupBy::kRegistry) return record.registry();
  return by == GroupBy::kImage ? record.image() : record.policy();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return quantile(values, 0.5);
}

std::string in_percent(double part) { return fmt::format("{:.0f} %", 100 * part); }

std::string verdict(const std::string& best, const std::string& other, const std::optional<Difference>& difference) {
  if (!difference) {
    return fmt::format("{} against {}: too few pulls to tell; {} of each are the least.", best, other, kFewest);
  }
  const std::string interval =
      fmt::format("95 %: {} to {}", in_percent(difference->interval.low), in_percent(difference->interval.high));
  if (difference->certain()) {
    return fmt::format("{} is faster: {} takes {} longer ({}).", best, other, in_percent(difference->part), interval);
  }
  return fmt::format("{} against {}: the data cannot tell; the difference is {} ({}).", best, other,
                     in_percent(difference->part), interval);
}

}  // namespace

std::string_view word(GroupBy by) {
  if (by == GroupBy::kRegistry) return "registry";
  return by == GroupBy::kImage ? "image" : "policy";
}

Report make_report(const std::vector<v1::RecordSummary>& records, GroupBy by) {
  Report report;
  report.by = by;
  std::vector<const v1::RecordSummary*> counted;
  std::map<std::string, std::vector<double>> images;
  for (const auto& record : records) {
    if (record.state() != "done") {
      ++report.unfinished;
    } else if (record.fetched_bytes() == 0) {
      ++report.nothing_fetched;
    } else if (record.mixed()) {
      ++report.mixed;
    } else {
      counted.push_back(&record);
      images[record.image()].push_back(record.pull_ms());
    }
  }
  std::map<std::string, double> usual;
  for (const auto& [image, times] : images) usual[image] = median(times);

  std::map<std::string, Group> groups;
  for (const auto* record : counted) {
    Group& group = groups[key(*record, by)];
    group.pulls.push_back(record->pull_ms());
    if (record->cold_start_ms() > 0) group.cold_starts.push_back(record->cold_start_ms());
    // A prefetch's time holds its queue, and its unpacking.
    if (record->lower_bound_ms() > 0 && record->source() != "prefetch")
      group.ratios.push_back(record->pull_ms() / record->lower_bound_ms());
    if (const double own = usual[record->image()]; own > 0) group.even.push_back(record->pull_ms() / own);
  }

  for (const auto& [name, group] : groups) {
    ReportRow row;
    row.group = name;
    row.pull = statistics(group.pulls);
    row.cold_start = statistics(group.cold_starts);
    row.median_ratio = median(group.ratios);
    report.rows.push_back(std::move(row));
  }
  const auto rank = [&](const ReportRow& row) {
    return by == GroupBy::kPolicy ? median(groups[row.group].even) : row.pull.median;
  };
  std::stable_sort(report.rows.begin(), report.rows.end(),
                   [&](const ReportRow& a, const ReportRow& b) { return rank(a) < rank(b); });
  if (by != GroupBy::kPolicy || report.rows.size() < 2) return report;
  const std::string best = report.rows.front().group;
  report.rows.front().best = true;
  for (ReportRow& row : report.rows) {
    if (row.best) continue;
    row.versus_best = difference(groups[best].even, groups[row.group].even);
    report.verdicts.push_back(verdict(best, row.group, row.versus_best));
  }
  return report;
}

}  // namespace paceline::cli
