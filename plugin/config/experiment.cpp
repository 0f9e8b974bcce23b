// The arms of [experiment]: reading and writing one.
#include <charconv>

#include "plugin/config/config.h"
#include "plugin/config/value.h"

namespace paceline::config {
namespace {

constexpr unsigned kMaxStreams = 128;  // As concurrency.streams.
constexpr unsigned kMaxWeight = 100;

Result<unsigned> number(std::string_view text, unsigned most, std::string_view whole) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > most) {
    return fail(Code::kInvalidArgument,
                in_quotes(whole) + ": " + in_quotes(text) + " must be a number from 1 to " + std::to_string(most));
  }
  return value;
}

}  // namespace

std::string Policy::name() const {
  return mode == ConcurrencyMode::kFixed ? "fixed:" + std::to_string(streams) : "adaptive";
}

std::string ExperimentArm::to_string() const {
  return policy.name() + (weight == 1 ? "" : "*" + std::to_string(weight));
}

Result<ExperimentArm> ExperimentArm::parse(std::string_view text) {
  ExperimentArm arm;
  std::string_view policy = text;
  if (const auto star = text.find('*'); star != std::string_view::npos) {
    const auto weight = number(text.substr(star + 1), kMaxWeight, text);
    if (!weight) return fail(weight.error());
    arm.weight = *weight;
    policy = text.substr(0, star);
  }
  constexpr std::string_view kFixedPrefix = "fixed:";
  if (policy.starts_with(kFixedPrefix)) {
    const auto streams = number(policy.substr(kFixedPrefix.size()), kMaxStreams, text);
    if (!streams) return fail(streams.error());
    arm.policy = {ConcurrencyMode::kFixed, *streams};
  } else if (policy != "adaptive") {
    return fail(Code::kInvalidArgument, in_quotes(text) + " must be \"adaptive\" or \"fixed:N\"");
  }
  return arm;
}

}  // namespace paceline::config
