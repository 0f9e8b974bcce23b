// From records to the rows of a report: groups them, leaves out what compares nothing, and judges which group is
// faster. Pure. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "paceline/v1/paceline.pb.h"
#include "plugin/cli/report_statistics.h"

namespace paceline::cli {

enum class GroupBy { kPolicy, kRegistry, kImage };
[[nodiscard]] std::string_view word(GroupBy by);

struct ReportRow {
  std::string group;
  Statistics pull;                        ///< Milliseconds, of pulls that fetched something and are done.
  Statistics cold_start;                  ///< Of those whose first task was seen.
  double median_ratio = 0;                ///< To the physical lower bound; 0: not known.
  std::optional<Difference> versus_best;  ///< By policy, images evened out; absent for the best and for too few.
  bool best = false;
};

struct Report {
  GroupBy by = GroupBy::kPolicy;
  std::vector<ReportRow> rows;  ///< The fastest first.
  // What was left out.
  std::size_t mixed = 0, unfinished = 0, nothing_fetched = 0;
  std::vector<std::string> verdicts;  ///< In words; by policy only.
};

[[nodiscard]] Report make_report(const std::vector<v1::RecordSummary>& records, GroupBy by);

}  // namespace paceline::cli
