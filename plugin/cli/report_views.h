// A report as a table, as JSON, as CSV and as a page. Pure functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "plugin/cli/json.h"
#include "plugin/cli/report_model.h"
#include "plugin/cli/style.h"

namespace paceline::cli {

[[nodiscard]] std::string report_table(const Report& report, const Style& style);
/// An object a row.
[[nodiscard]] std::vector<Json> report_json(const Report& report);
[[nodiscard]] std::string report_csv(const Report& report);
/// One file, without anything from elsewhere.
[[nodiscard]] std::string report_html(const Report& report);

/// The single pulls behind a report, newest first.
[[nodiscard]] std::string records_table(const std::vector<v1::RecordSummary>& records, std::int64_t now_unix_ms);
[[nodiscard]] std::string records_csv(const std::vector<v1::RecordSummary>& records);
[[nodiscard]] Json to_json(const v1::RecordSummary& record);

}  // namespace paceline::cli
