#include "plugin/net/http.h"

#include <curl/curl.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "plugin/base/text.h"

namespace paceline::net {
namespace {

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

/// Digits only, nothing around them, at most 2^63 - 1 (what a file offset can hold).
std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return value;
}

}  // namespace

void Headers::set(std::string name, std::string value) {
  remove(name);
  add(std::move(name), std::move(value));
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_, [&](const Header& field) { return same_name(field.name, name); });
}

std::string_view Headers::get(std::string_view name) const {
  const auto found =
      std::find_if(fields_.begin(), fields_.end(), [&](const Header& field) { return same_name(field.name, name); });
  return found == fields_.end() ? std::string_view() : std::string_view(found->value);
}

bool Headers::has(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(), [&](const Header& field) { return same_name(field.name, name); });
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const Header& field : fields_) {
    if (same_name(field.name, name)) values.emplace_back(field.value);
  }
  return values;
}

Result<ContentRange> parse_content_range(std::string_view value) {
  const auto malformed = [] {
    return fail(Code::kInvalidArgument, "malformed Content-Range, expected \"bytes first-last/total\"");
  };
  constexpr std::string_view kUnit = "bytes ";
  value = trim(value);
  if (value.size() < kUnit.size() || !same_name(value.substr(0, kUnit.size()), kUnit)) return malformed();
  value = trim(value.substr(kUnit.size()));
  const std::size_t dash = value.find('-');
  const std::size_t slash = value.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return malformed();

  const auto first = parse_number(value.substr(0, dash));
  const auto last = parse_number(value.substr(dash + 1, slash - dash - 1));
  const std::string_view total_text = value.substr(slash + 1);
  const auto total = parse_number(total_text);
  if (!first || !last || (!total && total_text != "*")) return malformed();
  if (*first > *last || (total && *last >= *total)) {
    return fail(Code::kInvalidArgument, "impossible Content-Range: " + std::to_string(*first) + "-" +
                                            std::to_string(*last) + "/" + std::string(total_text));
  }
  return ContentRange{*first, *last, total};
}

std::optional<Duration> parse_retry_after(std::string_view value, WallTime now) {
  constexpr std::int64_t kCapSeconds = 3600;
  constexpr std::size_t kLongestDate = 64;  // "Wednesday, 09-Nov-94 08:49:37 GMT" is the longest of the three forms.
  value = trim(value);
  if (value.empty() || value.size() > kLongestDate) return std::nullopt;

  std::int64_t seconds = 0;
  if (value.find_first_not_of("0123456789") == std::string_view::npos) {
    const auto number = parse_number(value);  // Absent here means too large.
    seconds = number ? static_cast<std::int64_t>(std::min<std::uint64_t>(*number, kCapSeconds)) : kCapSeconds;
  } else {
    if (std::string_view("MTWFS").find(value.front()) == std::string_view::npos) return std::nullopt;  // A day's name.
    const std::int64_t date = curl_getdate(std::string(value).c_str(), nullptr);
    if (date < 0) return std::nullopt;
    seconds = date - std::chrono::system_clock::to_time_t(now);
  }
  return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, kCapSeconds));
}

}  // namespace paceline::net
