#include "plugin/config/value.h"

#include <cstdio>

#include "plugin/base/text.h"

namespace paceline::config {
namespace {

// More folders than this are a mistake, and each is looked at for every host.
constexpr std::size_t kMaxPaths = 16;
// More arms than this find no pulls to compare.
constexpr std::size_t kMaxArms = 16;

// Names the end of the range that was missed.
template <class T>
std::string range_text(T value, T least, T most, std::string (*write)(T)) {
  if (value < least) return "is below the smallest value, " + write(least);
  return "is above the largest value, " + write(most);
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04X", static_cast<unsigned>(c));
      out += escape.data();
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

Result<bool> Flag::read(const toml::node& node) {
  if (const auto value = node.value_exact<bool>()) return *value;
  return fail(Code::kInvalidArgument, "must be true or false");
}

Result<unsigned> Count::read(const toml::node& node) const {
  const auto value = node.value_exact<std::int64_t>();
  if (!value) return fail(Code::kInvalidArgument, "must be a whole number, e.g. " + write(least));
  const auto wide_least = static_cast<std::int64_t>(least);
  const auto wide_most = static_cast<std::int64_t>(most);
  if (*value < wide_least || *value > wide_most) {
    return fail(Code::kInvalidArgument,
                range_text<std::int64_t>(*value, wide_least, wide_most,
                                         [](std::int64_t number) { return std::to_string(number); }));
  }
  return static_cast<unsigned>(*value);
}

std::string Count::range() const { return write(least) + " to " + write(most); }

Result<std::uint64_t> Bytes::read(const toml::node& node) const {
  std::uint64_t bytes = 0;
  if (const auto number = node.value_exact<std::int64_t>()) {
    if (*number < 0) return fail(Code::kInvalidArgument, "must not be negative");
    bytes = static_cast<std::uint64_t>(*number);
  } else if (const auto text = node.value_exact<std::string>()) {
    const auto parsed = parse_bytes(*text);
    if (!parsed) return fail(parsed.error());
    bytes = *parsed;
  } else {
    return fail(Code::kInvalidArgument, "must be a size, e.g. \"512MiB\", or a whole number of bytes");
  }
  if (bytes < least || bytes > most) return fail(Code::kInvalidArgument, range_text(bytes, least, most, &Bytes::write));
  return bytes;
}

std::string Bytes::write(std::uint64_t value) {
  static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> kUnits = {
      {{"TiB", 1ULL << 40U}, {"GiB", 1ULL << 30U}, {"MiB", 1ULL << 20U}, {"KiB", 1ULL << 10U}}};
  for (const auto& [unit, size] : kUnits) {
    if (value != 0 && value % size == 0) return in_quotes(std::to_string(value / size) + std::string(unit));
  }
  return std::to_string(value);
}

std::string Bytes::range() const {
  if (most == kNoLimit) return least == 0 ? "" : "from " + write(least);
  return write(least) + " to " + write(most);
}

Result<std::chrono::milliseconds> Time::read(const toml::node& node) const {
  const auto text = node.value_exact<std::string>();
  if (!text) return fail(Code::kInvalidArgument, "must be a duration in quotes, e.g. " + write(least));
  const auto parsed = parse_duration(*text);
  if (!parsed) return fail(parsed.error());
  const auto value = std::chrono::duration_cast<std::chrono::milliseconds>(*parsed);
  if (value < least || value > most) return fail(Code::kInvalidArgument, range_text(value, least, most, &Time::write));
  return value;
}

std::string Time::write(std::chrono::milliseconds value) {
  static constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> kUnits = {
      {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}}};
  for (const auto& [unit, size] : kUnits) {
    if (value.count() != 0 && value.count() % size == 0) {
      return in_quotes(std::to_string(value.count() / size) + std::string(unit));
    }
  }
  return in_quotes(std::to_string(value.count()) + "ms");
}

std::string Time::range() const { return write(least) + " to " + write(most); }

Result<std::filesystem::path> Path::read(const toml::node& node) const {
  const auto text = node.value_exact<std::string>();
  if (!text) return fail(Code::kInvalidArgument, "must be a path in quotes");
  if (text->empty() && may_be_empty) return std::filesystem::path();
  const std::filesystem::path path(*text);
  // The daemon's working folder is / under systemd: a relative path would surprise.
  if (!path.is_absolute() || text->find('\0') != std::string::npos) {
    return fail(Code::kInvalidArgument, in_quotes(*text) + " must be an absolute path");
  }
  return path.lexically_normal();
}

Result<std::vector<std::filesystem::path>> PathList::read(const toml::node& node) {
  const auto* array = node.as_array();
  if (array == nullptr)
    return fail(Code::kInvalidArgument, "must be a list of paths, e.g. [\"/etc/containerd/certs.d\"]");
  if (array->size() > kMaxPaths) {
    return fail(Code::kInvalidArgument, "holds more than " + std::to_string(kMaxPaths) + " paths");
  }
  std::vector<std::filesystem::path> paths;
  for (const auto& element : *array) {
    auto path = Path{}.read(element);
    if (!path) return fail(path.error());
    paths.push_back(std::move(*path));
  }
  return paths;
}

std::string PathList::write(const std::vector<std::filesystem::path>& value) {
  std::string out;
  for (const auto& path : value) out += (out.empty() ? "" : ", ") + in_quotes(path.native());
  return "[" + out + "]";
}

Result<std::vector<unsigned>> Counts::read(const toml::node& node) const {
  const auto* array = node.as_array();
  if (array == nullptr) return fail(Code::kInvalidArgument, "must be a list of numbers, e.g. [1000]");
  std::vector<unsigned> counts;
  for (const auto& element : *array) {
    auto count = Count{least, most}.read(element);
    if (!count) return fail(count.error());
    counts.push_back(*count);
  }
  return counts;
}

std::string Counts::write(const std::vector<unsigned>& value) {
  std::string out;
  for (const unsigned count : value) out += (out.empty() ? "" : ", ") + std::to_string(count);
  return "[" + out + "]";
}

std::string Counts::range() const { return "each " + Count{least, most}.range(); }

Result<std::vector<ExperimentArm>> ArmList::read(const toml::node& node) {
  const auto* array = node.as_array();
  if (array == nullptr) {
    return fail(Code::kInvalidArgument, "must be a list of policies, e.g. [\"adaptive\", \"fixed:5\"]");
  }
  if (array->size() > kMaxArms) {
    return fail(Code::kInvalidArgument, "holds more than " + std::to_string(kMaxArms) + " arms");
  }
  std::vector<ExperimentArm> arms;
  for (const auto& element : *array) {
    const auto text = element.value_exact<std::string>();
    if (!text) return fail(Code::kInvalidArgument, "must be a list of texts, e.g. [\"adaptive\", \"fixed:5\"]");
    auto arm = ExperimentArm::parse(*text);
    if (!arm) return fail(arm.error());
    for (const auto& other : arms) {
      if (other.policy == arm->policy) {
        return fail(Code::kInvalidArgument,
                    "names " + arm->policy.name() + " twice; write a weight: \"" + arm->policy.name() + "*2\"");
      }
    }
    arms.push_back(*arm);
  }
  return arms;
}

std::string ArmList::write(const std::vector<ExperimentArm>& value) {
  std::string out;
  for (const auto& arm : value) out += (out.empty() ? "" : ", ") + in_quotes(arm.to_string());
  return "[" + out + "]";
}

Result<std::string> Text::read(const toml::node& node) const {
  const auto text = node.value_exact<std::string>();
  if (!text) return fail(Code::kInvalidArgument, "must be a text in quotes");
  if (auto status = check(*text); !status) return fail(status.error());
  return *text;
}

}  // namespace paceline::config
