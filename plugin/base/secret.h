// A password or token. It cannot be printed or formatted by accident; reveal() marks every place that uses it.
// Value, any thread.
#pragma once

#include <string>
#include <utility>

namespace paceline {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  [[nodiscard]] const std::string& reveal() const { return value_; }
  [[nodiscard]] bool empty() const { return value_.empty(); }
  bool operator==(const Secret&) const = default;

 private:
  std::string value_;
};

}  // namespace paceline
