#include "plugin/unpack/entry_path.h"

#include <algorithm>

namespace paceline::unpack {
namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";
constexpr std::size_t kMaxPrintable = 200;

/// Calls `use` with each component that is neither empty nor ".".
template <class Use>
void for_each_component(std::string_view path, Use use) {
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (!component.empty() && component != ".") use(component);
  }
}

void append(std::string& path, std::string_view component) {
  if (!path.empty()) path += '/';
  path += component;
}

void drop_last(std::string& path) {
  const std::size_t slash = path.rfind('/');
  path.resize(slash == std::string::npos ? 0 : slash);
}

bool leads_up(std::string_view path) { return path == ".." || path.starts_with("../"); }

}  // namespace

std::string clean_path(std::string_view path) {
  const bool absolute = path.starts_with('/');
  std::string clean;
  clean.reserve(path.size());
  std::size_t ups = 0;  // Leading ".."s, which only a relative path keeps.
  for_each_component(path, [&](std::string_view component) {
    if (component != "..") {
      append(clean, component);
    } else if (clean.size() > (ups == 0 ? 0 : ups * 3 - 1)) {
      drop_last(clean);
    } else if (!absolute) {
      append(clean, "..");
      ++ups;
    }
  });
  return clean;
}

std::string resolve_path(std::string_view folder, std::string_view target) {
  std::string path;
  if (!target.starts_with('/')) path = folder;
  for_each_component(target, [&](std::string_view component) {
    if (component == "..") {
      drop_last(path);
    } else {
      append(path, component);
    }
  });
  return path;
}

Result<EntryPath> parse_entry_path(std::string_view name) {
  std::string clean = clean_path(name);
  if (leads_up(clean)) return fail(Code::kInvalidArgument, "its name leads out of the root");
  if (clean.size() > kMaxPathBytes) {
    return fail(Code::kInvalidArgument, "its path is longer than " + std::to_string(kMaxPathBytes) + " bytes");
  }
  if (static_cast<std::size_t>(std::count(clean.begin(), clean.end(), '/')) >= kMaxPathDepth) {
    return fail(Code::kInvalidArgument, "it lies deeper than " + std::to_string(kMaxPathDepth) + " folders");
  }
  const std::size_t slash = clean.rfind('/');
  if (slash == std::string::npos) return EntryPath{{}, std::move(clean)};
  EntryPath path{clean.substr(0, slash), clean.substr(slash + 1)};
  return path;
}

Result<Whiteout> classify_whiteout(std::string_view name) {
  if (!name.starts_with(kWhiteoutPrefix)) return Whiteout::kNone;
  if (name == kOpaqueName) return Whiteout::kOpaque;
  const std::string_view target = whiteout_target(name);
  if (target.empty() || target == "." || target == "..") {
    return fail(Code::kInvalidArgument, "it is a whiteout of no file");
  }
  return Whiteout::kFile;
}

std::string_view whiteout_target(std::string_view name) { return name.substr(kWhiteoutPrefix.size()); }

std::string printable(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "\"";
  for (const char c : name.substr(0, kMaxPrintable)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '"' || c == '\\') {
      text += "\\x";
      text += kDigits[byte >> 4U];
      text += kDigits[byte & 0xfU];
    } else {
      text += c;
    }
  }
  text += name.size() > kMaxPrintable ? "…\"" : "\"";
  return text;
}

}  // namespace paceline::unpack
