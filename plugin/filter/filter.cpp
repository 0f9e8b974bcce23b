#include "plugin/filter/filter.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace paceline {
namespace {

constexpr std::size_t kMaxFilterBytes =
    64U << 10U;  // A filter names a digest or a label: containerd's labels end at 4 KiB.

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'; }

bool is_field_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_operator_char(char c) { return c == '=' || c == '!' || c == '~'; }

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

void append_utf8(std::string& out, std::uint32_t rune) {
  const auto tail = [&out](std::uint32_t bits) { out += static_cast<char>(0x80U | (bits & 0x3FU)); };
  if (rune < 0x80) {
    out += static_cast<char>(rune);
  } else if (rune < 0x800) {
    out += static_cast<char>(0xC0U | rune >> 6U);
    tail(rune);
  } else if (rune < 0x10000) {
    out += static_cast<char>(0xE0U | rune >> 12U);
    tail(rune >> 6U);
    tail(rune);
  } else {
    out += static_cast<char>(0xF0U | rune >> 18U);
    tail(rune >> 12U);
    tail(rune >> 6U);
    tail(rune);
  }
}

}  // namespace

/// Recursive descent over one filter text; every function leaves `at_` behind what it took.
class FilterParser {
 public:
  explicit FilterParser(std::string_view text) : text_(text) {}

  Result<Filter::Selectors> selectors() {
    Filter::Selectors all;
    for (;;) {
      auto one = selector();
      if (!one) return fail(std::move(one.error()));
      all.push_back(std::move(*one));
      skip_blanks();
      if (at_end()) return all;
      if (text_[at_] != ',') return wrong("expected a comma");
      ++at_;
    }
  }

 private:
  Result<Filter::Selector> selector() {
    Filter::Selector result;
    for (;;) {
      auto name = field();
      if (!name) return fail(std::move(name.error()));
      result.path.push_back(std::move(*name));
      skip_blanks();
      if (at_end() || text_[at_] != '.') break;
      ++at_;
    }
    if (at_end() || text_[at_] == ',') return result;

    const auto op = take_while(is_operator_char);
    if (op == "==") {
      result.op = Filter::Operator::kEqual;
    } else if (op == "!=") {
      result.op = Filter::Operator::kNotEqual;
    } else if (op == "~=") {
      result.op = Filter::Operator::kMatches;
    } else {
      return wrong("expected one of == != ~=");
    }
    const bool is_pattern = result.op == Filter::Operator::kMatches;
    auto operand = value(is_pattern);
    if (!operand) return fail(std::move(operand.error()));
    result.value = std::move(*operand);
    if (is_pattern) {
      RE2::Options options;
      options.set_log_errors(false);
      auto pattern = std::make_shared<RE2>(result.value, options);
      if (!pattern->ok()) return wrong("bad regular expression: " + pattern->error());
      result.pattern = std::move(pattern);
    }
    return result;
  }

  Result<std::string> field() {
    skip_blanks();
    if (!at_end() && text_[at_] == '"') return quoted();
    const auto name = take_while(is_field_char);
    if (name.empty()) return wrong("expected a field name");
    return std::string(name);
  }

  Result<std::string> value(bool alternative_quotes) {
    skip_blanks();
    if (at_end()) return wrong("expected a value");
    const char first = text_[at_];
    if (first == '"' || (alternative_quotes && (first == '/' || first == '|'))) return quoted();
    const auto word = take_while([](char c) { return c != ',' && !is_blank(c); });
    if (word.empty()) return wrong("expected a value");
    return std::string(word);
  }

  Result<std::string> quoted() {
    const char quote = text_[at_++];
    std::string out;
    while (!at_end() && text_[at_] != '\n') {
      const char c = text_[at_++];
      if (c == quote) return out;
      if (c != '\\') {
        out += c;
      } else if (auto escaped = escape(quote, out); !escaped) {
        return fail(std::move(escaped.error()));
      }
    }
    return wrong("the quote is not closed");
  }

  Status escape(char quote, std::string& out) {
    if (at_end()) return wrong("the quote is not closed");
    const char c = text_[at_++];
    if (c == quote || c == '\\') {
      out += c;
      return {};
    }
    constexpr std::string_view kNames = "abfnrtv";
    constexpr std::string_view kValues = "\a\b\f\n\r\t\v";
    if (const auto known = kNames.find(c); known != std::string_view::npos) {
      out += kValues[known];
      return {};
    }
    if (c >= '0' && c <= '7') {
      --at_;
      return number(8, 3, false, out);
    }
    if (c == 'x') return number(16, 2, false, out);
    if (c == 'u') return number(16, 4, true, out);
    if (c == 'U') return number(16, 8, true, out);
    return wrong("unknown escape");
  }

  Status number(int base, int digits, bool is_rune, std::string& out) {
    std::uint64_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      if (at_end() || digit_value(text_[at_]) >= base) return wrong("bad numeric escape");
      value = value * static_cast<unsigned>(base) + static_cast<unsigned>(digit_value(text_[at_]));
    }
    if (value > (is_rune ? 0x10FFFFU : 0xFFU)) return wrong("the numeric escape is too large");
    if (is_rune) {
      append_utf8(out, static_cast<std::uint32_t>(value));
    } else {
      out += static_cast<char>(value);
    }
    return {};
  }

  template <class Predicate>
  std::string_view take_while(Predicate wanted) {
    const auto begin = at_;
    while (!at_end() && wanted(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  void skip_blanks() { take_while(is_blank); }
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] tl::unexpected<Error> wrong(std::string_view what) const {
    return fail(Code::kInvalidArgument,
                "filter '" + std::string(text_) + "', position " + std::to_string(at_) + ": " + std::string(what));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Result<Filter> Filter::parse(std::span<const std::string> texts) {
  Filter filter;
  for (const auto& text : texts) {
    if (text.size() > kMaxFilterBytes) return fail(Code::kInvalidArgument, "a filter is longer than 64 KiB");
    if (text.empty()) {
      filter.alternatives_.emplace_back();  // No selector: matches everything.
      continue;
    }
    auto selectors = FilterParser(text).selectors();
    if (!selectors) return fail(std::move(selectors.error()));
    filter.alternatives_.push_back(std::move(*selectors));
  }
  return filter;
}

bool Filter::Selector::matches(const Lookup& lookup) const {
  const auto found = lookup(path);
  switch (op) {
    case Operator::kPresent:
      return found.has_value();
    case Operator::kEqual:
      return found == value;
    case Operator::kNotEqual:
      return found.value_or("") != value;
    case Operator::kMatches:
      return RE2::PartialMatch(found.value_or(""), *pattern);
  }
  return false;
}

bool Filter::matches(const Lookup& lookup) const {
  if (alternatives_.empty()) return true;
  return std::ranges::any_of(alternatives_, [&lookup](const Selectors& all) {
    return std::ranges::all_of(all, [&lookup](const Selector& one) { return one.matches(lookup); });
  });
}

std::optional<std::string> find_label(const std::map<std::string, std::string>& labels,
                                      std::span<const std::string> path) {
  std::string key;
  for (const auto& part : path.subspan(1)) key += (key.empty() ? "" : ".") + part;
  const auto label = labels.find(key);
  if (label == labels.end()) return std::nullopt;
  return label->second;
}

}  // namespace paceline
