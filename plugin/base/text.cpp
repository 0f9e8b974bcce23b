#include "plugin/base/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <numeric>

namespace paceline {
namespace {

using std::chrono::nanoseconds;

// "<number><unit>" → number, unit (lower case, trimmed). False when there is no finite, non-negative number in front.
bool split_number(std::string_view text, double& number, std::string& unit) {
  text = trim(text);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(number) || number < 0) return false;
  unit = to_lower(trim(text.substr(static_cast<std::size_t>(end - text.data()))));
  return true;
}

}  // namespace

std::string format_bytes(std::uint64_t bytes) {
  static constexpr std::array kUnits = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return buffer.data();
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 12> kUnits = {{{"", 1.0},
                                                                                  {"b", 1.0},
                                                                                  {"kb", 1e3},
                                                                                  {"mb", 1e6},
                                                                                  {"gb", 1e9},
                                                                                  {"tb", 1e12},
                                                                                  {"kib", 1024.0},
                                                                                  {"mib", 1048576.0},
                                                                                  {"gib", 1073741824.0},
                                                                                  {"tib", 1099511627776.0},
                                                                                  {"k", 1024.0},
                                                                                  {"m", 1048576.0}}};
  double number = 0;
  std::string unit;
  if (split_number(text, number, unit)) {
    for (const auto& [name, factor] : kUnits) {
      if (unit == name && number * factor < 9e18) return static_cast<std::uint64_t>(number * factor);
    }
  }
  return fail(Code::kInvalidArgument,
              "'" + std::string(text) + "' is not a size: write a number and a unit, e.g. 512MiB or 20GB");
}

Result<nanoseconds> parse_duration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 6> kUnits = {
      {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}}};
  double number = 0;
  std::string unit;
  if (split_number(text, number, unit)) {
    for (const auto& [name, factor] : kUnits) {
      if (unit == name && number * factor < 9e18) return nanoseconds(static_cast<std::int64_t>(number * factor));
    }
    if (number == 0 && unit.empty()) return nanoseconds(0);
  }
  return fail(Code::kInvalidArgument,
              "'" + std::string(text) + "' is not a duration: write a number and a unit, e.g. 250ms, 30s or 5m");
}

std::string format_duration(nanoseconds duration) {
  const double seconds = static_cast<double>(duration.count()) / 1e9;
  std::array<char, 48> buffer{};
  if (seconds < 0.0995) {
    std::snprintf(buffer.data(), buffer.size(), "%.1fms", seconds * 1e3);
  } else if (seconds < 0.9995) {
    std::snprintf(buffer.data(), buffer.size(), "%.0fms", seconds * 1e3);
  } else if (seconds < 60) {
    std::snprintf(buffer.data(), buffer.size(), "%.2fs", seconds);
  } else {
    const auto whole = static_cast<long long>(seconds);
    std::snprintf(buffer.data(), buffer.size(), "%lldm%02llds", whole / 60, whole % 60);
  }
  return buffer.data();
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view trim(std::string_view text) {
  static constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string format_rfc3339(std::chrono::system_clock::time_point time) {
  const auto since_epoch = std::chrono::duration_cast<nanoseconds>(time.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const std::time_t whole = seconds.count();
  std::tm utc{};
  ::gmtime_r(&whole, &utc);
  std::array<char, 64> buffer{};
  const std::size_t length = std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(buffer.data() + length, buffer.size() - length, ".%09lldZ",
                static_cast<long long>((since_epoch - seconds).count()));
  return buffer.data();
}

Result<std::chrono::system_clock::time_point> parse_rfc3339(std::string_view text) {
  std::tm utc{};
  const std::string copy(text);
  const char* rest = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &utc);
  if (rest == nullptr) return fail(Code::kInvalidArgument, "'" + copy + "' is not an RFC 3339 time");
  std::int64_t nanos = 0;
  if (*rest == '.') {
    std::int64_t scale = 100'000'000;
    for (++rest; std::isdigit(static_cast<unsigned char>(*rest)) != 0; ++rest, scale /= 10)
      nanos += (*rest - '0') * scale;
  }
  std::int64_t zone = 0;
  if (*rest == '+' || *rest == '-') {
    int hours = 0;
    int minutes = 0;
    if (std::sscanf(rest + 1, "%2d:%2d", &hours, &minutes) != 2) {
      return fail(Code::kInvalidArgument, "'" + copy + "' has a malformed time zone");
    }
    zone = (*rest == '-' ? -1 : 1) * (hours * 3600LL + minutes * 60LL);
  } else if (*rest != 'Z') {
    return fail(Code::kInvalidArgument, "'" + copy + "' has no time zone");
  }
  return std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
      std::chrono::seconds(::timegm(&utc) - zone) + nanoseconds(nanos)));
}

std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 2) + 1;
  for (const auto& candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = std::exchange(row[0], i);
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const std::size_t replace = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({replace, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace paceline
