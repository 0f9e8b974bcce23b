#include "plugin/cli/path_name.h"

#include <cstdlib>
#include <optional>
#include <string>

#include "plugin/base/text.h"

namespace paceline::cli {
namespace {

constexpr double kMostMbps = 1e6, kMostMs = 60'000, kMostLoss = 50;

/// A positive number up to `most` that stands before one of the units.
std::optional<double> number(std::string_view text, std::string_view unit, double most) {
  if (!text.ends_with(unit)) return std::nullopt;
  const std::string digits(text.substr(0, text.size() - unit.size()));
  if (digits.empty() || digits.size() > 12 || digits.find_first_not_of("0123456789.") != std::string::npos) {
    return std::nullopt;
  }
  char* end = nullptr;
  const double value = std::strtod(digits.c_str(), &end);
  if (end != digits.c_str() + digits.size() || !(value > 0) || value > most) return std::nullopt;
  return value;
}

std::optional<double> bytes_per_second(std::string_view text) {
  if (const auto mbps = number(text, "mbps", kMostMbps)) return *mbps * 1e6 / 8;
  if (const auto gbps = number(text, "gbps", kMostMbps / 1000)) return *gbps * 1e9 / 8;
  return std::nullopt;
}

}  // namespace

Result<adaptive::Path> parse_path_name(std::string_view name) {
  const std::string lower = to_lower(name);
  const auto parts = split(lower, '-');
  const auto wrong = [&] {
    return fail(Code::kInvalidArgument, "no path is named '" + std::string(name) +
                                            "': registry, or e.g. 100mbps-35ms, 1gbps-5ms, 200mbps-35ms-cap5mbps, "
                                            "50mbps-80ms-loss0.5%");
  };
  if (parts.size() < 2) return wrong();
  const auto rate = bytes_per_second(parts[0]);
  const auto rtt = number(parts[1], "ms", kMostMs);
  if (!rate || !rtt) return wrong();
  adaptive::Path path;
  path.link_rate = *rate;
  path.rtt_registry = path.rtt_token = path.rtt_blob = adaptive::from_seconds(*rtt / 1000);
  path.warm.dns = true;
  path.needs_token = false;
  path.index = false;
  for (std::size_t i = 2; i < parts.size(); ++i) {
    const auto cap = parts[i].starts_with("cap") ? bytes_per_second(parts[i].substr(3)) : std::nullopt;
    const auto loss = parts[i].starts_with("loss") ? number(parts[i].substr(4), "%", kMostLoss) : std::nullopt;
    if (cap) {
      path.connection_cap = *cap * adaptive::kWireEfficiency;
    } else if (loss) {
      path.loss = *loss / 100;
    } else {
      return wrong();
    }
  }
  return path;
}

}  // namespace paceline::cli
