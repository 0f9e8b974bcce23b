#include "plugin/oci/json.h"

#include <algorithm>

#include "plugin/base/text.h"

namespace paceline::oci {
namespace {

// A manifest nests 5 deep, an image config 6.
constexpr std::size_t kMaxDepth = 64;
// 1000 layers with ten annotations each are 25 000 values; parsed values cost some 80 bytes, so this bounds memory.
constexpr std::size_t kMaxValues = 250'000;

// Looks at brackets and separators outside strings only; that the text is JSON at all is the parser's to find out.
Status check_shape(std::string_view text, std::string_view what) {
  std::size_t depth = 0;
  std::size_t values = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) {
        return fail(Code::kInvalidArgument,
                    std::string(what) + " is nested deeper than " + std::to_string(kMaxDepth) + " levels");
      }
    }
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if (c == ',' || c == '[' || c == '{') ++values;
  }
  if (values > kMaxValues) {
    return fail(Code::kInvalidArgument,
                std::string(what) + " holds more than " + std::to_string(kMaxValues) + " values");
  }
  return {};
}

std::string position(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte > 0 ? byte - 1 : 0, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto last_break = before.rfind('\n');
  const auto column = before.size() - (last_break == std::string_view::npos ? 0 : last_break + 1) + 1;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

}  // namespace

Result<nlohmann::json> parse_json_object(std::string_view text, std::string_view what) {
  const std::string_view body = trim(text);
  if (body.empty()) return fail(Code::kInvalidArgument, std::string(what) + " is empty");
  if (body.front() == '<') {
    return fail(
        Code::kInvalidArgument,
        std::string(what) + " is HTML, not JSON: a login or error page of a proxy or of a host that is no registry");
  }
  if (auto shape = check_shape(text, what); !shape) return fail(shape.error());
  try {
    auto document = nlohmann::json::parse(text);
    if (!document.is_object()) return fail(Code::kInvalidArgument, std::string(what) + " is not a JSON object");
    return document;
  } catch (const nlohmann::json::parse_error& error) {
    // error.what() quotes the text: not for a file that may hold passwords.
    return fail(Code::kInvalidArgument, std::string(what) + " is not valid JSON at " + position(text, error.byte));
  } catch (const std::exception&) {
    return fail(Code::kInvalidArgument, std::string(what) + " is not valid JSON: a number is out of range");
  }
}

std::string string_member(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return {};
  return found->get<std::string>();
}

}  // namespace paceline::oci
