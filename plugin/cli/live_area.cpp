#include "plugin/cli/live_area.h"

#include <algorithm>

#include "plugin/cli/format.h"

namespace paceline::cli {
namespace {

constexpr std::string_view kClearToEndOfLine = "\x1b[K";
constexpr std::string_view kClearBelow = "\x1b[J";

}  // namespace

std::string LiveArea::repaint(const std::vector<std::string>& before, const std::vector<std::string>& lines,
                              std::string_view above, unsigned columns) {
  std::size_t rows = 0;
  for (const auto& line : before) {
    rows += std::max<std::size_t>(1, (display_width(line) + columns - 1) / std::max(columns, 1U));
  }
  std::string out;
  if (rows > 0) out += "\x1b[" + std::to_string(rows) + "A";
  out += '\r';
  const auto add = [&out](std::string_view line) {
    out += line;
    out += kClearToEndOfLine;  // After the text: nothing is blank for a moment, so nothing flickers.
    out += "\r\n";
  };
  if (!above.empty()) add(above);
  for (const auto& line : lines) add(line);
  out += kClearBelow;
  return out;
}

void LiveArea::draw(const std::vector<std::string>& lines) {
  if (shown_.empty() && lines.empty()) return;
  terminal_.write(repaint(shown_, lines, {}, terminal_.screen().columns));
  shown_ = lines;
}

void LiveArea::print(std::string_view line) {
  terminal_.write(repaint(shown_, shown_, line, terminal_.screen().columns));
}

}  // namespace paceline::cli
