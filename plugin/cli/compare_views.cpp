#include "plugin/cli/compare_views.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "plugin/base/text.h"
#include "plugin/cli/analyze_views.h"
#include "plugin/cli/format.h"
#include "plugin/cli/html.h"
#include "plugin/cli/table.h"

namespace paceline::cli {
namespace {

using ComparisonRows = std::vector<std::vector<std::string>>;

std::string signed_seconds(double seconds) { return (seconds < 0 ? "-" : "+") + seconds_text(std::abs(seconds)); }

std::string change(double from, double to) {
  return from > 0 ? fmt::format("{:+.0f} %", 100 * (to - from) / from) : std::string("-");
}

std::string change_of_bytes(std::uint64_t from, std::uint64_t to) {
  return change(static_cast<double>(from), static_cast<double>(to));
}

ComparisonRows size_rows(const ComparedImages& images) {
  const auto& a = images.a;
  const auto& b = images.b;
  const auto number = [](const char* name, std::uint64_t x, std::uint64_t y) {
    return std::vector<std::string>{name, std::to_string(x), std::to_string(y), change_of_bytes(x, y)};
  };
  const auto bytes = [](const char* name, std::uint64_t x, std::uint64_t y) {
    return std::vector<std::string>{name, format_bytes(x), format_bytes(y), change_of_bytes(x, y)};
  };
  return {bytes("compressed", a.compressed_bytes(), b.compressed_bytes()),
          bytes("uncompressed", a.uncompressed_bytes(), b.uncompressed_bytes()),
          number("entries", a.entries(), b.entries()), number("layers", a.layers.size(), b.layers.size()),
          bytes("waste", a.waste().bytes, b.waste().bytes)};
}

ComparisonRows time_rows(const ComparedImages& images) {
  const auto& [a, b] = std::pair(images.comparison.a, images.comparison.b);
  const bool measured = !images.measured_a.pulls.empty();
  const auto ma = images.measured_a.median(), mb = images.measured_b.median();
  ComparisonRows rows;
  const auto row = [&](const char* name, double x, double y, double mx, double my) {
    rows.push_back({name, seconds_text(x), seconds_text(y), signed_seconds(y - x)});
    if (measured) {
      for (auto& cell : {seconds_text(mx), seconds_text(my), signed_seconds(my - mx)}) rows.back().push_back(cell);
    }
  };
  row("setup", a.setup, b.setup, ma.setup, mb.setup);
  row("fetch", a.fetch, b.fetch, ma.fetch, mb.fetch);
  row("verify", a.verify, b.verify, ma.verify, mb.verify);
  row("unpack", a.unpack, b.unpack, ma.unpack, mb.unpack);
  row("in all", a.total(), b.total(), ma.total, mb.total);
  return rows;
}

std::vector<std::string> time_heads(const ComparedImages& images) {
  std::vector<std::string> heads = {"", "A", "B", "PREDICTED"};
  if (!images.measured_a.pulls.empty()) {
    for (const char* head : {"A", "B", "MEASURED"}) heads.emplace_back(head);
  }
  return heads;
}

ComparisonRows factor_rows(const ComparedImages& images) {
  ComparisonRows rows;
  for (const auto& factor : images.comparison.factors) {
    rows.push_back({factor.name, signed_seconds(factor.seconds)});
  }
  return rows;
}

std::string factor_line(const ComparedImages& images) {
  const double difference = images.comparison.b.total() - images.comparison.a.total();
  const auto& factors = images.comparison.factors;
  // The largest of those that go the way of the whole: the others are what it is in spite of.
  const auto most = std::find_if(factors.begin(), factors.end(), [&](const Factor& factor) {
    return std::signbit(factor.seconds) == std::signbit(difference);
  });
  if (most == factors.end() || std::abs(difference) < 0.001) return "They take the same time on this path.";
  return fmt::format("B takes {} {} than A, most by its {} ({}).", seconds_text(std::abs(difference)),
                     difference < 0 ? "less" : "more", most->name, signed_seconds(most->seconds));
}

std::string shared_line(const ComparedImages& images) {
  const auto& comparison = images.comparison;
  if (comparison.shared_blobs == 0) return "They share no blob.";
  return fmt::format("They share {}, {}; on a node that has A, B takes {}.", count(comparison.shared_blobs, "blob"),
                     format_bytes(comparison.shared_bytes), seconds_text(comparison.b_after_a.total()));
}

std::string plain_table(const std::vector<std::string>& heads, const ComparisonRows& rows) {
  std::vector<Table::Column> columns;
  for (const auto& head : heads) {
    columns.push_back({head, columns.empty() ? Table::Align::kLeft : Table::Align::kRight});
  }
  Table table(std::move(columns));
  for (const auto& row : rows) table.row(row);
  return table.text();
}

const std::vector<std::string> kSizeHeads = {"", "A", "B", "CHANGE"};
const std::vector<std::string> kFactorHeads = {"FACTOR", "PREDICTED"};

Json measured_json(const MeasuredPulls& measured) {
  if (measured.pulls.empty()) return nullptr;
  const auto to_ms = [](double seconds) { return std::round(seconds * 1e6) / 1e3; };
  const auto phases = [&](const MeasuredPulls::Phases& pull) {
    return Json{{"total_ms", to_ms(pull.total)},
                {"setup_ms", to_ms(pull.setup)},
                {"fetch_ms", to_ms(pull.fetch)},
                {"verify_ms", to_ms(pull.verify)},
                {"unpack_ms", to_ms(pull.unpack)}};
  };
  Json out = phases(measured.median());
  Json pulls = Json::array();
  for (const auto& pull : measured.pulls) pulls.push_back(phases(pull));
  out["pulls"] = std::move(pulls);
  return out;
}

Json image_json(const analyze::Analysis& image, const adaptive::PullPrediction& predicted,
                const MeasuredPulls& measured) {
  return {{"image", image.image.name},
          {"manifest_digest", image.image.manifest ? Json(image.image.manifest->to_string()) : Json(nullptr)},
          {"compressed_bytes", image.compressed_bytes()},
          {"uncompressed_bytes", image.uncompressed_bytes()},
          {"entries", image.entries()},
          {"layers", image.layers.size()},
          {"waste_bytes", image.waste().bytes},
          {"predicted", to_json(predicted)},
          {"measured", measured_json(measured)}};
}

}  // namespace

std::string comparison_text(const ComparedImages& images, const Style& style) {
  return "A: " + style.bold(printable(images.a.image.name)) + "\nB: " + style.bold(printable(images.b.image.name)) +
         "\n\n" + plain_table(kSizeHeads, size_rows(images)) + "\n" + shared_line(images) + "\n\npath " +
         printable(images.prediction.path_name) + "\n" + plain_table(time_heads(images), time_rows(images)) + "\n" +
         plain_table(kFactorHeads, factor_rows(images)) + "\n" + style.bold(factor_line(images)) + "\n" +
         style.dim("model: " + printable(images.prediction.model.describe())) + "\n";
}

Json comparison_json(const ComparedImages& images) {
  Json factors = Json::array();
  for (const auto& factor : images.comparison.factors) {
    factors.push_back({{"name", factor.name}, {"difference_ms", std::round(factor.seconds * 1e6) / 1e3}});
  }
  return {{"a", image_json(images.a, images.comparison.a, images.measured_a)},
          {"b", image_json(images.b, images.comparison.b, images.measured_b)},
          {"path", images.prediction.path_name},
          {"shared_blobs", images.comparison.shared_blobs},
          {"shared_bytes", images.comparison.shared_bytes},
          {"predicted_b_after_a", to_json(images.comparison.b_after_a)},
          {"factors", std::move(factors)},
          {"model", error_json(images.prediction.model)}};
}

std::string comparison_html(const ComparedImages& images) {
  return html_page(printable(images.a.image.name) + " and " + printable(images.b.image.name),
                   "<p>A: " + html_text(printable(images.a.image.name)) +
                       "<br>B: " + html_text(printable(images.b.image.name)) + "</p>\n" +
                       html_table(kSizeHeads, size_rows(images)) + "<p>" + html_text(shared_line(images)) +
                       "</p>\n<h2>Path " + html_text(printable(images.prediction.path_name)) + "</h2>\n" +
                       html_table(time_heads(images), time_rows(images)) +
                       html_table(kFactorHeads, factor_rows(images)) + "<p><strong>" + html_text(factor_line(images)) +
                       "</strong><br>Model: " + html_text(printable(images.prediction.model.describe())) + "</p>\n");
}

}  // namespace paceline::cli
