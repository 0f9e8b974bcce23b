// WWW-Authenticate (RFC 9110 §11.6.1): what a registry wants to see before it answers. Pure functions, any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace paceline::registry {

struct Challenge {
  std::string scheme;                             ///< Lower case: "bearer", "basic".
  std::map<std::string, std::string> parameters;  ///< Names in lower case.

  [[nodiscard]] std::string parameter(const std::string& name) const;
  bool operator==(const Challenge&) const = default;
};

/// Every challenge of one or several header values joined by commas. What follows a malformed piece is left out.
std::vector<Challenge> parse_challenges(std::string_view header);

/// The one to answer: Bearer with a realm before Basic; empty when none is known here.
std::optional<Challenge> choose_challenge(const std::vector<Challenge>& challenges);

}  // namespace paceline::registry
