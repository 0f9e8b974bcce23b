#include "tests/wan/link/settings.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "tests/wan/link/packet.h"

namespace paceline::wan {
namespace {

struct Key {
  std::string_view name;
  double Settings::*field;
  double least, most;
};

constexpr std::array kKeys{
    Key{"rate_mbps", &Settings::rate_mbps, 0.01, 100'000}, Key{"rtt_ms", &Settings::rtt_ms, 0, 10'000},
    Key{"loss_pct", &Settings::loss_pct, 0, 100},          Key{"loss_up_pct", &Settings::loss_up_pct, 0, 100},
    Key{"cap_mbps", &Settings::cap_mbps, 0, 100'000},      Key{"queue_kb", &Settings::queue_kb, 0, 10'000'000},
};

std::optional<std::string> apply_one(std::string_view word, Settings& settings) {
  const size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const auto* key = std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& k) { return k.name == name; });
  if (equals == std::string_view::npos || key == kKeys.end()) {
    std::string known;
    for (const Key& k : kKeys) known += ' ' + std::string(k.name) + '=';
    return "cannot use '" + std::string(word) + "': one of" + known + " with a number is wanted";
  }
  const std::string_view text = word.substr(equals + 1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= key->least && value <= key->most)) {
    return std::string(name) + " is '" + std::string(text) + "': a number from " + std::to_string(key->least) + " to " +
           std::to_string(key->most) + " is wanted";
  }
  settings.*key->field = value;
  return std::nullopt;
}

}  // namespace

double Settings::default_queue_bytes() const {
  return std::max(rate_mbps * 1e6 / 8 * rtt_ms / 1e3, 50.0 * kFullWireBytes);
}

std::optional<std::string> update(std::string_view words, Settings& settings) {
  Settings changed = settings;
  while (!words.empty()) {
    const size_t space = std::min(words.find(' '), words.size());
    const std::string_view word = words.substr(0, space);
    words.remove_prefix(std::min(space + 1, words.size()));
    if (word.empty()) continue;
    if (auto error = apply_one(word, changed)) return error;
  }
  settings = changed;
  return std::nullopt;
}

}  // namespace paceline::wan
