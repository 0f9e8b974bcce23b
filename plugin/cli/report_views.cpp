#include "plugin/cli/report_views.h"

#include <fmt/format.h>

#include <cmath>

#include "plugin/base/text.h"
#include "plugin/cli/format.h"
#include "plugin/cli/html.h"
#include "plugin/cli/table.h"

namespace paceline::cli {
namespace {

std::string time(double ms) {
  return format_duration(std::chrono::nanoseconds(static_cast<std::int64_t>(std::llround(ms * 1e6))));
}

std::string interval(const Statistics& values) {
  if (!values.median_interval) return "-";
  return time(values.median_interval->low) + " to " + time(values.median_interval->high);
}

std::string or_dash(bool known, const std::string& text) { return known ? text : "-"; }

/// The cells of a row as people read them; the heads are kHeads.
std::vector<std::string> cells(const ReportRow& row) {
  return {printable(row.group),
          std::to_string(row.pull.count),
          time(row.pull.median),
          interval(row.pull),
          time(row.pull.p90),
          time(row.pull.p99),
          or_dash(row.median_ratio > 0, fmt::format("{:.2f}", row.median_ratio)),
          or_dash(row.cold_start.count > 0, time(row.cold_start.median)),
          or_dash(row.cold_start.count > 0, time(row.cold_start.p90))};
}

constexpr const char* kHeads[] = {"PULLS", "MEDIAN", "95 % INTERVAL", "P90", "P99", "× BOUND", "COLD START", "P90"};

std::string left_out(const Report& report) {
  std::string out;
  const auto say = [&](std::size_t number, const char* what) {
    if (number > 0) out += (out.empty() ? "Left out: " : ", ") + std::to_string(number) + " " + what;
  };
  say(report.nothing_fetched, "that fetched nothing");
  say(report.mixed, "that shared a path with another policy");
  say(report.unfinished, "that failed or were cancelled");
  return out.empty() ? out : out + ".";
}

std::string csv_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

Json statistics_json(const Statistics& values) {
  Json out = {{"count", values.count}};
  const bool known = values.count > 0;
  out["median_ms"] = known ? Json(values.median) : Json(nullptr);
  out["median_low_ms"] = values.median_interval ? Json(values.median_interval->low) : Json(nullptr);
  out["median_high_ms"] = values.median_interval ? Json(values.median_interval->high) : Json(nullptr);
  out["p90_ms"] = known ? Json(values.p90) : Json(nullptr);
  out["p99_ms"] = known ? Json(values.p99) : Json(nullptr);
  return out;
}

}  // namespace

std::string report_table(const Report& report, const Style& style) {
  if (report.rows.empty()) {
    const std::string out = left_out(report);
    return "No pull to report on yet." + (out.empty() ? "" : " " + out) + "\n";
  }
  std::string by = std::string(word(report.by));
  for (char& c : by) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::vector<Table::Column> columns = {{by}};
  for (const char* head : kHeads) columns.push_back({head, Table::Align::kRight});
  Table table(columns);
  for (const ReportRow& row : report.rows) table.row(cells(row));
  std::string out = table.text();
  if (!report.verdicts.empty()) out += "\n";
  for (const auto& verdict : report.verdicts) out += style.bold(verdict) + "\n";
  const std::string rest = left_out(report);
  if (!rest.empty()) out += style.dim(rest) + "\n";
  return out;
}

std::vector<Json> report_json(const Report& report) {
  std::vector<Json> out;
  for (const ReportRow& row : report.rows) {
    Json json = {{"by", std::string(word(report.by))},
                 {"group", row.group},
                 {"pull", statistics_json(row.pull)},
                 {"cold_start", statistics_json(row.cold_start)},
                 {"median_ratio", row.median_ratio > 0 ? Json(row.median_ratio) : Json(nullptr)},
                 {"best", row.best},
                 {"longer_than_best", nullptr}};
    if (row.versus_best) {
      json["longer_than_best"] = {{"part", row.versus_best->part},
                                  {"low", row.versus_best->interval.low},
                                  {"high", row.versus_best->interval.high},
                                  {"certain", row.versus_best->certain()}};
    }
    out.push_back(std::move(json));
  }
  return out;
}

std::string report_csv(const Report& report) {
  std::string out = std::string(word(report.by)) +
                    ",pulls,median_ms,median_low_ms,median_high_ms,p90_ms,p99_ms,median_ratio,cold_starts,"
                    "cold_start_median_ms,cold_start_p90_ms,longer_than_best,longer_low,longer_high\n";
  for (const ReportRow& row : report.rows) {
    const auto number = [](bool known, double value) {
      return known ? fmt::format(",{:.6g}", value) : std::string(",");
    };
    const bool sure = row.pull.median_interval.has_value();
    out += csv_text(row.group) + "," + std::to_string(row.pull.count) + number(true, row.pull.median) +
           number(sure, sure ? row.pull.median_interval->low : 0) +
           number(sure, sure ? row.pull.median_interval->high : 0) + number(true, row.pull.p90) +
           number(true, row.pull.p99) + number(row.median_ratio > 0, row.median_ratio) + "," +
           std::to_string(row.cold_start.count) + number(row.cold_start.count > 0, row.cold_start.median) +
           number(row.cold_start.count > 0, row.cold_start.p90);
    const bool compared = row.versus_best.has_value();
    out += number(compared, compared ? row.versus_best->part : 0) +
           number(compared, compared ? row.versus_best->interval.low : 0) +
           number(compared, compared ? row.versus_best->interval.high : 0) + "\n";
  }
  return out;
}

std::string report_html(const Report& report) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Paceline: cold starts</title><style>\n"
      "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222}\n"
      "table{border-collapse:collapse}th,td{padding:.3em .8em;border-bottom:1px solid #ccc;text-align:right}\n"
      "th:first-child,td:first-child{text-align:left}\n</style></head><body>\n<h1>Cold starts by " +
      std::string(word(report.by)) + "</h1>\n<table><thead><tr><th>" + std::string(word(report.by)) + "</th>";
  for (const char* head : kHeads) out += "<th>" + std::string(head) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const ReportRow& row : report.rows) {
    out += "<tr>";
    for (const auto& cell : cells(row)) out += "<td>" + html_text(cell) + "</td>";
    out += "</tr>\n";
  }
  out += "</tbody></table>\n";
  for (const auto& verdict : report.verdicts) out += "<p><strong>" + html_text(verdict) + "</strong></p>\n";
  out += "<p>" + html_text(left_out(report)) + "</p>\n</body></html>\n";
  return out;
}

std::string records_table(const std::vector<v1::RecordSummary>& records, std::int64_t now_unix_ms) {
  Table table({{"PULL"},
               {"AGO"},
               {"IMAGE"},
               {"SOURCE"},
               {"POLICY"},
               {"STATE"},
               {"PULL", Table::Align::kRight},
               {"COLD START", Table::Align::kRight},
               {"FETCHED", Table::Align::kRight},
               {"× BOUND", Table::Align::kRight}});
  for (const auto& record : records) {
    table.row({record.pull_id(), format_age(record.started_unix_ms(), now_unix_ms), printable(record.image()),
               record.source(), record.policy() + (record.mixed() ? " (mixed)" : ""), record.state(),
               time(record.pull_ms()), or_dash(record.cold_start_ms() > 0, time(record.cold_start_ms())),
               format_bytes(record.fetched_bytes()),
               or_dash(record.lower_bound_ms() > 0 && record.source() != "prefetch",
                       fmt::format("{:.2f}", record.pull_ms() / record.lower_bound_ms()))});
  }
  return table.text();
}

std::string records_csv(const std::vector<v1::RecordSummary>& records) {
  std::string out =
      "pull_id,started_unix_ms,image,registry,policy,source,state,mixed,pull_ms,cold_start_ms,total_bytes,"
      "fetched_bytes,lower_bound_ms\n";
  const auto if_known = [](double ms) { return ms > 0 ? fmt::format("{:.3f}", ms) : std::string(); };
  for (const auto& record : records) {
    out += fmt::format("{},{},{},{},{},{},{},{},{:.3f},{},{},{},{}\n", csv_text(record.pull_id()),
                       record.started_unix_ms(), csv_text(record.image()), csv_text(record.registry()), record.policy(),
                       record.source(), record.state(), record.mixed() ? 1 : 0, record.pull_ms(),
                       if_known(record.cold_start_ms()), record.total_bytes(), record.fetched_bytes(),
                       if_known(record.lower_bound_ms()));
  }
  return out;
}

Json to_json(const v1::RecordSummary& record) {
  return {{"pull_id", record.pull_id()},
          {"started_unix_ms", record.started_unix_ms()},
          {"image", record.image()},
          {"registry", record.registry()},
          {"policy", record.policy()},
          {"source", record.source()},
          {"state", record.state()},
          {"mixed", record.mixed()},
          {"pull_ms", record.pull_ms()},
          {"cold_start_ms", record.cold_start_ms() > 0 ? Json(record.cold_start_ms()) : Json(nullptr)},
          {"total_bytes", record.total_bytes()},
          {"fetched_bytes", record.fetched_bytes()},
          {"lower_bound_ms", record.lower_bound_ms() > 0 ? Json(record.lower_bound_ms()) : Json(nullptr)}};
}

}  // namespace paceline::cli
