#include "plugin/cli/format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "plugin/base/text.h"

namespace paceline::cli {
namespace {

// The length of the colour sequence ("ESC [ … m") at the front, or 0.
std::size_t colour_length(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  const auto end = text.find('m');
  return end == std::string_view::npos ? 0 : end + 1;
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // C1 controls, U+0080 … U+009F, are written C2 80 … C2 9F.
    const bool c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c1) ++i;
    out += c1 || byte < 0x20 || byte == 0x7F ? ' ' : text[i];
  }
  return out;
}

std::string format_rate(double bytes_per_second) {
  if (!(bytes_per_second >= 1)) return "-";
  return format_bytes(static_cast<std::uint64_t>(std::min(bytes_per_second, 1e18))) + "/s";
}

std::string format_part(std::uint64_t part, std::uint64_t whole) {
  struct Unit {
    const char* name;
    double size;
  };
  static constexpr std::array kUnits = {Unit{"TB", 1e12}, Unit{"GB", 1e9}, Unit{"MB", 1e6}, Unit{"KB", 1e3}};
  std::array<char, 64> buffer{};
  for (const auto& unit : kUnits) {
    if (static_cast<double>(whole) < unit.size) continue;
    std::snprintf(buffer.data(), buffer.size(), "%.1f/%.1f %s", static_cast<double>(part) / unit.size,
                  static_cast<double>(whole) / unit.size, unit.name);
    return buffer.data();
  }
  return std::to_string(part) + "/" + std::to_string(whole) + " B";
}

std::string format_seconds(double seconds) {
  if (!(seconds >= 0) || seconds > 1e8) return "-";
  const auto whole = static_cast<unsigned long long>(std::lround(seconds));
  std::array<char, 64> buffer{};
  if (whole < 60) {
    std::snprintf(buffer.data(), buffer.size(), "%llus", whole);
  } else if (whole < 3600) {
    std::snprintf(buffer.data(), buffer.size(), "%llum%02llus", whole / 60, whole % 60);
  } else if (whole < 86400) {
    std::snprintf(buffer.data(), buffer.size(), "%lluh%02llum", whole / 3600, whole / 60 % 60);
  } else {
    std::snprintf(buffer.data(), buffer.size(), "%llud%02lluh", whole / 86400, whole / 3600 % 24);
  }
  return buffer.data();
}

std::string format_age(std::int64_t then_unix_ms, std::int64_t now_unix_ms) {
  if (then_unix_ms <= 0) return "-";
  return format_seconds(static_cast<double>(std::max<std::int64_t>(now_unix_ms - then_unix_ms, 0)) / 1e3);
}

std::string short_digest(std::string_view digest) {
  const auto colon = digest.find(':');
  return std::string(digest.substr(colon == std::string_view::npos ? 0 : colon + 1, 12));
}

std::string count(std::uint64_t number, std::string_view noun) {
  return std::to_string(number) + " " + std::string(noun) + (number == 1 ? "" : "s");
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const std::size_t colour = colour_length(text);
    if (colour == 0 && !is_continuation(text.front())) ++width;
    text.remove_prefix(std::max<std::size_t>(colour, 1));
  }
  return width;
}

std::string pad_right(std::string text, std::size_t width) {
  const std::size_t now = display_width(text);
  if (now < width) text.append(width - now, ' ');
  return text;
}

std::string pad_left(std::string text, std::size_t width) {
  const std::size_t now = display_width(text);
  if (now < width) text.insert(0, width - now, ' ');
  return text;
}

std::string fit(std::string text, std::size_t width) {
  if (text.size() <= width) return text;
  if (width <= 2) return text.substr(text.size() - width);
  return ".." + text.substr(text.size() - (width - 2));
}

std::string clip(std::string_view text, std::size_t width) {
  std::string out;
  std::size_t used = 0;
  bool coloured = false;
  while (!text.empty()) {
    const std::size_t colour = colour_length(text);
    if (colour > 0) {
      coloured = text.substr(0, colour) != "\x1b[0m";
    } else if (!is_continuation(text.front()) && ++used > width) {
      break;
    }
    const std::size_t step = std::max<std::size_t>(colour, 1);
    out += text.substr(0, step);
    text.remove_prefix(step);
  }
  if (coloured) out += "\x1b[0m";
  return out;
}

}  // namespace paceline::cli
