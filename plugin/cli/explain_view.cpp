#include "plugin/cli/explain_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "plugin/base/text.h"
#include "plugin/cli/format.h"
#include "plugin/records/diagnosis.h"

namespace paceline::cli {
namespace {

constexpr std::size_t kNameWidth = 12;
constexpr std::size_t kTimeWidth = 9;
constexpr std::size_t kMostLayers = 40;

std::string in_time(double ms) {
  return format_duration(std::chrono::nanoseconds(static_cast<std::int64_t>(std::llround(ms * 1e6))));
}

/// Cells from `start` to `end` of `whole`, at least one.
std::string bar(double start, double end, double whole, std::size_t width, const char* cell) {
  if (whole <= 0) return {};
  const auto column = [&](double at) {
    return static_cast<std::size_t>(std::clamp(at / whole, 0.0, 1.0) * static_cast<double>(width));
  };
  const std::size_t first = std::min(column(start), width - 1);
  const std::size_t last = std::max(column(end), first + 1);
  std::string out(first, ' ');
  for (std::size_t i = first; i < last; ++i) out += cell;
  return out;
}

std::string line(const std::string& name, double ms, const std::string& drawn) {
  return pad_right(name, kNameWidth) + pad_left(in_time(ms), kTimeWidth) + "  " + drawn + "\n";
}

std::string layers(const records::ColdStart& record, const Style& style, double whole, std::size_t width) {
  std::string out;
  std::size_t shown = 0;
  for (const auto& layer : record.layers) {
    if (!layer.last_byte_ms || !layer.first_byte_ms) continue;
    if (++shown > kMostLayers) return out + style.dim("…") + "\n";
    out += line(short_digest(layer.digest), *layer.last_byte_ms - *layer.first_byte_ms,
                style.busy(bar(*layer.first_byte_ms, *layer.last_byte_ms, whole, width, "▒")) + " " +
                    style.dim(format_bytes(layer.size_bytes)));
    if (layer.unpack_start_ms && layer.unpack_end_ms) {
      out += line("  unpack", *layer.unpack_end_ms - *layer.unpack_start_ms,
                  bar(*layer.unpack_start_ms, *layer.unpack_end_ms, whole, width, "░"));
    }
  }
  return out.empty() ? out : "\n" + style.bold("layers") + "\n" + out;
}

std::string streams(const records::ColdStart& record, const Style& style) {
  if (record.streams.empty()) return {};
  std::string out = "\n" + style.bold("streams") + "\n";
  for (const auto& change : record.streams) {
    out += pad_left(in_time(change.at_ms), kTimeWidth) + "  " + pad_left(std::to_string(change.streams), 3) + "  " +
           printable(change.reason) + style.dim("  " + printable(change.host)) + "\n";
  }
  return out;
}

std::string model(const records::ColdStart& record) {
  if (record.lower_bound_ms <= 0) return {};
  std::string out = fmt::format("\nThe path allowed {} at best; this pull took {:.2f} times as long.\n",
                                in_time(record.lower_bound_ms), record.ratio);
  out += "The model's time at a fixed number of streams:";
  for (const auto& [number, ms] : record.predicted_ms) out += fmt::format(" {}: {}", number, in_time(ms));
  return out + "\n";
}

}  // namespace

std::string explain_text(const records::ColdStart& record, const Style& style, std::size_t width) {
  const double whole = record.cold_start_ms.value_or(record.pull_ms);
  const std::size_t drawn = std::clamp<std::size_t>(width, 50, 160) - kNameWidth - kTimeWidth - 16;
  std::string out = style.bold(printable(record.image)) + "  " + style.dim("pull " + printable(record.pull_id)) + "\n" +
                    fmt::format("{}, {}, {}{}: {} of {} fetched, {}\n\n", record.source, record.state, record.policy,
                                record.mixed ? " (mixed with another policy)" : "", format_bytes(record.fetched_bytes),
                                format_bytes(record.total_bytes), in_time(whole));
  for (const auto& phase : record.phases) {
    out += line(phase.name, phase.end_ms - phase.start_ms,
                style.good(bar(phase.start_ms, phase.end_ms, whole, drawn, "█")));
  }
  out += layers(record, style, whole, drawn) + streams(record, style);

  const auto diagnosis = records::diagnose(record);
  out += "\n" + style.bold("bottleneck: " + std::string(records::bottleneck_name(diagnosis.bottleneck))) + "\n" +
         diagnosis.verdict + "\n";
  for (const auto& evidence : diagnosis.evidence) out += "  - " + printable(evidence) + "\n";
  if (record.retries > 0) out += fmt::format("  - {} retries\n", record.retries);
  if (record.wasted_bytes > 0) out += "  - " + format_bytes(record.wasted_bytes) + " fetched twice\n";
  return out + model(record);
}

}  // namespace paceline::cli
