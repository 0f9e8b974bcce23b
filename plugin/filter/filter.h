// The filters of containerd's List calls, of content and of snapshots, in containerd's language (its package
// "filters"):
//
//   selector ("," selector)*          all must match
//   selector  = path [operator value] without operator: the field must be there
//   path      = field ("." field)*    field: letters, digits, "_", or quoted
//   operator  = "==" | "!=" | "~="    ~= is an RE2 regular expression, found anywhere in the value
//   value     = quoted | anything up to a comma or a blank
//
// Quotes are "…" with Go's escapes; after ~= also /…/ and |…|. Immutable after parse; any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/result.h"

namespace re2 {
class RE2;
}

namespace paceline {

class Filter {
 public:
  /// The value of a field, or nothing where the thing has no such field.
  using Lookup = std::function<std::optional<std::string>(std::span<const std::string> path)>;

  /// A thing matches when one of `texts` does, or when there is none. kInvalidArgument names text and position.
  static Result<Filter> parse(std::span<const std::string> texts);

  [[nodiscard]] bool matches(const Lookup& lookup) const;

 private:
  friend class FilterParser;
  enum class Operator { kPresent, kEqual, kNotEqual, kMatches };
  struct Selector {
    std::vector<std::string> path;
    Operator op = Operator::kPresent;
    std::string value;
    std::shared_ptr<const re2::RE2> pattern;
    [[nodiscard]] bool matches(const Lookup& lookup) const;
  };
  using Selectors = std::vector<Selector>;

  std::vector<Selectors> alternatives_;
};

/// What the path labels.<key> names: the key may hold dots, quoted or not.
std::optional<std::string> find_label(const std::map<std::string, std::string>& labels,
                                      std::span<const std::string> path);

}  // namespace paceline
