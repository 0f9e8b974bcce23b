// How each type of setting is read from TOML, checked and written back: one small struct a type, each with
// read(node) → Result<T>, write(value) → TOML text and range() → "1 to 128", empty where there is none. Stateless
// values, any thread.
#pragma once

#include <toml++/toml.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "plugin/base/result.h"
#include "plugin/config/config.h"

namespace paceline::config {

/// The `most` of Bytes that have no upper bound.
inline constexpr std::uint64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

/// The value as a TOML string literal.
std::string in_quotes(std::string_view text);

struct Flag {
  [[nodiscard]] static Result<bool> read(const toml::node& node);
  [[nodiscard]] static std::string write(bool value) { return value ? "true" : "false"; }
  [[nodiscard]] static std::string range() { return {}; }
};

struct Count {
  unsigned least;
  unsigned most;
  [[nodiscard]] Result<unsigned> read(const toml::node& node) const;
  [[nodiscard]] static std::string write(unsigned value) { return std::to_string(value); }
  [[nodiscard]] std::string range() const;
};

struct Counts {
  unsigned least;
  unsigned most;
  [[nodiscard]] Result<std::vector<unsigned>> read(const toml::node& node) const;
  [[nodiscard]] static std::string write(const std::vector<unsigned>& value);
  [[nodiscard]] std::string range() const;
};

/// "512MiB", "20GB" or a plain number of bytes.
struct Bytes {
  std::uint64_t least;
  std::uint64_t most;
  [[nodiscard]] Result<std::uint64_t> read(const toml::node& node) const;
  [[nodiscard]] static std::string write(std::uint64_t value);
  [[nodiscard]] std::string range() const;
};

/// "250ms", "15s", "5m".
struct Time {
  std::chrono::milliseconds least;
  std::chrono::milliseconds most;
  [[nodiscard]] Result<std::chrono::milliseconds> read(const toml::node& node) const;
  [[nodiscard]] static std::string write(std::chrono::milliseconds value);
  [[nodiscard]] std::string range() const;
};

/// An absolute path; empty only where that has a meaning of its own.
struct Path {
  bool may_be_empty = false;
  [[nodiscard]] Result<std::filesystem::path> read(const toml::node& node) const;
  [[nodiscard]] static std::string write(const std::filesystem::path& value) { return in_quotes(value.native()); }
  [[nodiscard]] static std::string range() { return {}; }
};

struct PathList {
  [[nodiscard]] static Result<std::vector<std::filesystem::path>> read(const toml::node& node);
  [[nodiscard]] static std::string write(const std::vector<std::filesystem::path>& value);
  [[nodiscard]] static std::string range() { return {}; }
};

/// "adaptive", "fixed:3", "fixed:5*2"; each policy once.
struct ArmList {
  [[nodiscard]] static Result<std::vector<ExperimentArm>> read(const toml::node& node);
  [[nodiscard]] static std::string write(const std::vector<ExperimentArm>& value);
  [[nodiscard]] static std::string range() { return {}; }
};

/// A string that `check` accepts.
struct Text {
  Status (*check)(std::string_view);
  [[nodiscard]] Result<std::string> read(const toml::node& node) const;
  [[nodiscard]] static std::string write(const std::string& value) { return in_quotes(value); }
  [[nodiscard]] static std::string range() { return {}; }
};

/// A word for one of two values.
template <class T>
struct Choice {
  std::array<std::pair<std::string_view, T>, 2> words;

  [[nodiscard]] Result<T> read(const toml::node& node) const {
    const auto text = node.value_exact<std::string>();
    for (const auto& [word, value] : words) {
      if (text == word) return value;
    }
    return fail(Code::kInvalidArgument, "must be " + in_quotes(words[0].first) + " or " + in_quotes(words[1].first));
  }
  [[nodiscard]] std::string write(T value) const { return in_quotes(words[value == words[0].second ? 0 : 1].first); }
  [[nodiscard]] static std::string range() { return {}; }
};

}  // namespace paceline::config
