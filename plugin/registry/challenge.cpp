#include "plugin/registry/challenge.h"

#include <algorithm>

#include "plugin/base/text.h"

namespace paceline::registry {
namespace {

constexpr std::size_t kMaxHeaderBytes = 16U << 10U;
constexpr std::size_t kMaxChallenges = 16;

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<Challenge> parse() {
    std::vector<Challenge> out;
    for (;;) {
      skip(", \t");
      const std::string_view scheme = token();
      if (scheme.empty() || out.size() == kMaxChallenges) return out;
      if (at_end() || peek() == ',' || is_space(peek())) {
        Challenge challenge{to_lower(scheme), {}};
        const bool well_formed = parameters(challenge);
        out.push_back(std::move(challenge));
        if (!well_formed) return out;
      } else {
        return out;
      }
    }
  }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\t'; }
  [[nodiscard]] bool at_end() const { return position_ >= text_.size(); }
  [[nodiscard]] char peek() const { return text_[position_]; }

  void skip(std::string_view characters) {
    while (!at_end() && characters.find(peek()) != std::string_view::npos) ++position_;
  }

  std::string_view token() {
    const std::size_t start = position_;
    while (!at_end() && is_token_char(peek())) ++position_;
    return text_.substr(start, position_ - start);
  }

  // After a scheme: nothing, a token68, or name=value pairs. Ends before the next scheme. False: malformed.
  bool parameters(Challenge& challenge) {
    for (;;) {
      skip(", \t");
      const std::size_t start = position_;
      const std::string_view name = token();
      if (name.empty()) return at_end();
      const bool space_follows = !at_end() && is_space(peek());
      skip(" \t");
      if (at_end() || peek() != '=') {
        // Not a parameter: a token68, or the next challenge's scheme, which the caller reads again.
        if (challenge.parameters.empty() && !at_end() && !space_follows && peek() == '/') return skip_token68();
        position_ = start;
        return true;
      }
      ++position_;
      if (at_end() || peek() == '=' || peek() == ',') {  // The padding of a token68.
        skip("=");
        continue;
      }
      skip(" \t");
      std::string value;
      if (!at_end() && peek() == '"') {
        if (!quoted(value)) return false;
      } else {
        value = std::string(token());
        // Some registries leave the quotes off a URL.
        while (!at_end() && peek() != ',' && !is_space(peek())) value.push_back(text_[position_++]);
      }
      challenge.parameters.emplace(to_lower(name), std::move(value));
    }
  }

  bool skip_token68() {
    while (!at_end() && peek() != ',') ++position_;
    return true;
  }

  bool quoted(std::string& value) {
    for (++position_; !at_end(); ++position_) {
      if (peek() == '"') {
        ++position_;
        return true;
      }
      if (peek() == '\\' && position_ + 1 < text_.size()) ++position_;
      value.push_back(peek());
    }
    return false;
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace

std::string Challenge::parameter(const std::string& name) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string() : found->second;
}

std::vector<Challenge> parse_challenges(std::string_view header) {
  return Parser(header.substr(0, kMaxHeaderBytes)).parse();
}

std::optional<Challenge> choose_challenge(const std::vector<Challenge>& challenges) {
  for (const auto& challenge : challenges) {
    if (challenge.scheme == "bearer" && !challenge.parameter("realm").empty()) return challenge;
  }
  for (const auto& challenge : challenges) {
    if (challenge.scheme == "basic") return challenge;
  }
  return std::nullopt;
}

}  // namespace paceline::registry
