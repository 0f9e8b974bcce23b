#include "plugin/cli/analyze_views.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "plugin/base/text.h"
#include "plugin/cli/format.h"
#include "plugin/cli/html.h"
#include "plugin/cli/table.h"

namespace paceline::cli {
namespace {

using analyze::Analysis;
using analyze::FileClass;

constexpr std::size_t kPackagesShown = 12;
constexpr std::size_t kCommandShown = 60;

using Rows = std::vector<std::vector<std::string>>;

const std::vector<std::string> kLayerHeads = {"LAYER",    "DIGEST", "COMPRESSED", "UNCOMPRESSED", "RATIO",
                                              "ENTRIES",  "FETCH",  "VERIFY",     "INFLATE",      "UNPACK",
                                              "READY AT", "WASTE",  "MADE BY"};
const std::vector<std::string> kPackageHeads = {"PACKAGE", "VERSION",    "KIND",      "FILES",
                                                "BYTES",   "COMPRESSED", "BUILD ONLY"};
const std::vector<std::string> kClassHeads = {"WASTE", "FILES", "BYTES", "COMPRESSED"};

std::string share(double part, double whole) { return whole > 0 ? fmt::format("{:.0f} %", 100 * part / whole) : "0 %"; }

std::uint64_t wasted(const analyze::LayerReport& layer) {
  std::uint64_t bytes = 0;
  for (const FileClass file_class : analyze::kAllFileClasses) {
    if (file_class != FileClass::kNeeded) bytes += layer.classes[static_cast<std::size_t>(file_class)].bytes;
  }
  return bytes;
}

std::string command_of(const analyze::ImageLayer& layer) {
  std::string text = printable(layer.created_by);
  constexpr std::string_view kShell = "/bin/sh -c ";
  if (text.starts_with(kShell)) text.erase(0, kShell.size());
  return clip(text, kCommandShown);
}

Rows layer_rows(const Analysis& analysis, const adaptive::PullPrediction& now) {
  Rows rows;
  for (std::size_t i = 0; i < analysis.layers.size(); ++i) {
    const auto& layer = analysis.layers[i];
    const auto& cost = now.layers[i];
    rows.push_back(
        {std::to_string(i + 1), layer.layer.digest.short_hex(),
         (layer.estimated ? "~" : "") + format_bytes(layer.compressed_bytes), format_bytes(layer.uncompressed_bytes),
         fmt::format("{:.2f}", layer.ratio()), std::to_string(layer.entries), seconds_text(cost.fetch),
         seconds_text(cost.verify), seconds_text(cost.inflate), seconds_text(cost.unpack),
         seconds_text(std::max(cost.unpacked, cost.arrived)), format_bytes(wasted(layer)), command_of(layer.layer)});
  }
  return rows;
}

Rows package_rows(const Analysis& analysis) {
  Rows rows;
  for (const auto& package : analysis.packages) {
    if (rows.size() == kPackagesShown) break;
    if (package.files == 0) continue;
    rows.push_back({printable(package.name), printable(package.version), word(package.kind),
                    std::to_string(package.files), format_bytes(package.bytes), format_bytes(package.compressed),
                    package.build_only ? "yes" : ""});
  }
  return rows;
}

Rows class_rows(const Analysis& analysis) {
  Rows rows;
  for (const FileClass file_class : analyze::kAllFileClasses) {
    const auto sum = analysis.sum(file_class);
    if (file_class == FileClass::kNeeded || sum.files == 0) continue;
    rows.push_back({std::string(name_of(file_class)), std::to_string(sum.files), format_bytes(sum.bytes),
                    format_bytes(sum.compressed)});
  }
  const auto all = analysis.waste();
  rows.push_back({"all of it", std::to_string(all.files), format_bytes(all.bytes), format_bytes(all.compressed)});
  return rows;
}

std::string table_of(const std::vector<std::string>& heads, const Rows& rows, std::size_t left_columns) {
  std::vector<Table::Column> columns;
  for (std::size_t i = 0; i < heads.size(); ++i) {
    const bool left = i < left_columns || heads[i] == "MADE BY" || heads[i] == "KIND";
    columns.push_back({heads[i], left ? Table::Align::kLeft : Table::Align::kRight});
  }
  Table table(std::move(columns));
  for (const auto& row : rows) table.row(row);
  return table.text();
}

std::string size_line(const Analysis& analysis) {
  const bool estimated =
      std::any_of(analysis.layers.begin(), analysis.layers.end(), [](const auto& layer) { return layer.estimated; });
  return fmt::format("{}, {}{} compressed{}, {} uncompressed, {} entries", count(analysis.layers.size(), "layer"),
                     estimated ? "about " : "", format_bytes(analysis.compressed_bytes()),
                     estimated ? " (stored uncompressed: an estimate)" : "",
                     format_bytes(analysis.uncompressed_bytes()), analysis.entries());
}

std::string critical_path(const Analysis& analysis, const adaptive::PullPrediction& now) {
  struct Part {
    const char* name;
    double seconds;
  };
  const Part parts[] = {{"requests and handshakes", now.setup},
                        {"bytes over the path", now.fetch},
                        {"verifying the last of them", now.verify},
                        {"unpacking what had come last", now.unpack}};
  std::string out;
  for (const Part& part : parts) {
    if (part.seconds < 0.005 * now.total()) continue;
    out += (out.empty() ? "" : ", then ") + std::string(part.name) + " " + seconds_text(part.seconds) + " (" +
           share(part.seconds, now.total()) + ")";
  }
  std::size_t last = 0;
  for (std::size_t i = 1; i < now.layers.size(); ++i) {
    if (std::max(now.layers[i].unpacked, now.layers[i].arrived) >
        std::max(now.layers[last].unpacked, now.layers[last].arrived)) {
      last = i;
    }
  }
  if (!analysis.layers.empty()) out += "; layer " + std::to_string(last + 1) + " is ready last";
  return out;
}

std::string prediction_line(const analyze::AdviceList& advice, const Prediction& prediction) {
  return fmt::format("{} on path {}, until all is {}", seconds_text(advice.now.total()),
                     printable(prediction.path_name), prediction.target.options.unpack ? "unpacked" : "stored");
}

std::string saving_line(const analyze::AdviceList& advice) {
  const double saved = advice.now.total() - advice.without_waste.total();
  return fmt::format("without all that waste: {} ({} less)", seconds_text(advice.without_waste.total()),
                     seconds_text(std::max(0.0, saved)));
}

std::string identity(const Analysis& analysis) {
  return analysis.image.platform + (analysis.image.manifest ? ", " + analysis.image.manifest->to_string() : "");
}

Json sum_json(const analyze::Sum& sum) {
  return {{"files", sum.files}, {"bytes", sum.bytes}, {"compressed_bytes", sum.compressed}};
}

double ms(double seconds) { return std::round(seconds * 1e6) / 1e3; }

Json layer_json(const analyze::LayerReport& layer, const adaptive::LayerPrediction& cost) {
  Json waste = Json::object();
  for (const FileClass file_class : analyze::kAllFileClasses) {
    const auto& sum = layer.classes[static_cast<std::size_t>(file_class)];
    if (file_class != FileClass::kNeeded && sum.files > 0) waste[std::string(name_of(file_class))] = sum_json(sum);
  }
  return {{"digest", layer.layer.digest.to_string()},
          {"diff_id", layer.layer.diff_id ? Json(layer.layer.diff_id->to_string()) : Json(nullptr)},
          {"media_type", layer.layer.media_type},
          {"created_by", layer.layer.created_by},
          {"compressed_bytes", layer.compressed_bytes},
          {"compressed_bytes_estimated", layer.estimated},
          {"uncompressed_bytes", layer.uncompressed_bytes},
          {"ratio", layer.ratio()},
          {"entries", layer.entries},
          {"files", layer.files},
          {"directories", layer.directories},
          {"symlinks", layer.symlinks},
          {"hard_links", layer.hard_links},
          {"devices", layer.others},
          {"whiteouts", layer.whiteouts},
          {"file_bytes", layer.file_bytes},
          {"fetch_ms", ms(cost.fetch)},
          {"verify_cpu_ms", ms(cost.verify)},
          {"inflate_cpu_ms", ms(cost.inflate)},
          {"unpack_cpu_ms", ms(cost.unpack)},
          {"arrived_ms", ms(cost.arrived)},
          {"unpacked_ms", cost.unpacked > 0 ? Json(ms(cost.unpacked)) : Json(nullptr)},
          {"waste", std::move(waste)}};
}

Json files_json(const Analysis& analysis) {
  Json out = Json::object();
  for (const FileClass file_class : analyze::kAllFileClasses) {
    if (file_class == FileClass::kNeeded || analysis.sum(file_class).files == 0) continue;
    out[std::string(name_of(file_class))] = paths_of(analysis, file_class);
  }
  return out;
}

}  // namespace

std::string seconds_text(double seconds) {
  constexpr double kMost = 9e9;  // Some 285 years: more does not fit into nanoseconds.
  seconds = std::isnan(seconds) ? 0 : std::clamp(seconds, -kMost, kMost);
  return format_duration(std::chrono::nanoseconds(static_cast<std::int64_t>(std::llround(seconds * 1e9))));
}

Json to_json(const adaptive::PullPrediction& prediction) {
  return {{"total_ms", ms(prediction.total())},
          {"setup_ms", ms(prediction.setup)},
          {"fetch_ms", ms(prediction.fetch)},
          {"verify_ms", ms(prediction.verify)},
          {"unpack_ms", ms(prediction.unpack)}};
}

std::string analysis_text(const Analysis& analysis, const analyze::AdviceList& advice, const Prediction& prediction,
                          const Style& style) {
  std::string out = style.bold(printable(analysis.image.name)) + "  " + style.dim(printable(identity(analysis))) +
                    "\n" + size_line(analysis) + "\n\n" +
                    style.bold("predicted: " + prediction_line(advice, prediction)) + "\n" +
                    "critical path: " + critical_path(analysis, advice.now) + "\n" + saving_line(advice) + "\n" +
                    style.dim("model: " + printable(prediction.model.describe())) + "\n\n";
  out += table_of(kLayerHeads, layer_rows(analysis, advice.now), 2);
  if (const Rows packages = package_rows(analysis); !packages.empty()) {
    out += "\n" + table_of(kPackageHeads, packages, 2);
    if (analysis.packages.size() > packages.size()) {
      out += style.dim(count(analysis.packages.size(), "package") + " in all; --output json has them") + "\n";
    }
  }
  out += "\n" + table_of(kClassHeads, class_rows(analysis), 1);
  out += "\n" + style.bold("advice") + "\n";
  if (advice.points.empty()) out += "nothing that would make a difference on this path\n";
  for (std::size_t i = 0; i < advice.points.size(); ++i) {
    const auto& point = advice.points[i];
    out += fmt::format("{:>2}. {} {}\n", i + 1, style.good("saves " + seconds_text(point.seconds) + ":"),
                       printable(point.title));
    out += style.dim("    why: " + point.why) + "\n    how: " + point.how + "\n";
  }
  return out;
}

Json analysis_json(const Analysis& analysis, const analyze::AdviceList& advice, const Prediction& prediction,
                   bool files) {
  Json layers = Json::array();
  for (std::size_t i = 0; i < analysis.layers.size(); ++i) {
    layers.push_back(layer_json(analysis.layers[i], advice.now.layers[i]));
  }
  Json packages = Json::array();
  for (const auto& package : analysis.packages) {
    packages.push_back({{"name", package.name},
                        {"version", package.version},
                        {"kind", word(package.kind)},
                        {"files", package.files},
                        {"bytes", package.bytes},
                        {"compressed_bytes", package.compressed},
                        {"build_only", package.build_only}});
  }
  Json waste = Json::object();
  for (const FileClass file_class : analyze::kAllFileClasses) {
    if (file_class != FileClass::kNeeded) waste[std::string(name_of(file_class))] = sum_json(analysis.sum(file_class));
  }
  Json points = Json::array();
  for (const auto& point : advice.points) {
    points.push_back({{"id", point.id},
                      {"saves_ms", ms(point.seconds)},
                      {"title", point.title},
                      {"why", point.why},
                      {"how", point.how},
                      {"gain", sum_json(point.gain)}});
  }
  Json duplicates = Json::array();
  for (const auto& group : analysis.duplicates) {
    duplicates.push_back({{"size_bytes", group.size}, {"paths", group.paths}});
  }
  Json largest = Json::array();
  for (const auto& file : analysis.largest) {
    largest.push_back({{"path", file.path}, {"bytes", file.bytes}, {"layer", file.layer + 1}});
  }
  Json out = {{"image", analysis.image.name},
              {"manifest_digest", analysis.image.manifest ? Json(analysis.image.manifest->to_string()) : Json(nullptr)},
              {"platform", analysis.image.platform},
              {"compressed_bytes", analysis.compressed_bytes()},
              {"uncompressed_bytes", analysis.uncompressed_bytes()},
              {"entries", analysis.entries()},
              {"path", prediction.path_name},
              {"unpack", prediction.target.options.unpack},
              {"predicted", to_json(advice.now)},
              {"predicted_without_waste", to_json(advice.without_waste)},
              {"model", error_json(prediction.model)},
              {"critical_path", critical_path(analysis, advice.now)},
              {"files_sum", sum_json(analysis.all())},
              {"waste_sum", sum_json(analysis.waste())},
              {"waste", std::move(waste)},
              {"advice", std::move(points)},
              {"layers", std::move(layers)},
              {"packages", std::move(packages)},
              {"duplicates", std::move(duplicates)},
              {"largest_files", std::move(largest)}};
  if (files) out["waste_files"] = files_json(analysis);
  return out;
}

std::string analysis_html(const Analysis& analysis, const analyze::AdviceList& advice, const Prediction& prediction) {
  std::string body = "<p>" + html_text(printable(identity(analysis))) + "<br>" + html_text(size_line(analysis)) +
                     "</p>\n<p><strong>Predicted: " + html_text(prediction_line(advice, prediction)) +
                     "</strong><br>Critical path: " + html_text(critical_path(analysis, advice.now)) + "<br>" +
                     html_text(saving_line(advice)) +
                     "<br>Model: " + html_text(printable(prediction.model.describe())) +
                     "</p>\n<h2>Advice</h2>\n<ol>\n";
  for (const auto& point : advice.points) {
    body += "<li><strong>saves " + html_text(seconds_text(point.seconds)) + ":</strong> " +
            html_text(printable(point.title)) + "<br>Why: " + html_text(point.why) +
            "<br>How: " + html_text(point.how) + "</li>\n";
  }
  body += "</ol>\n<h2>Layers</h2>\n" + html_table(kLayerHeads, layer_rows(analysis, advice.now)) +
          "<h2>Packages</h2>\n" + html_table(kPackageHeads, package_rows(analysis)) + "<h2>Waste</h2>\n" +
          html_table(kClassHeads, class_rows(analysis));
  return html_page(printable(analysis.image.name), body);
}

}  // namespace paceline::cli
