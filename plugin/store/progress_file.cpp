#include "plugin/store/progress_file.h"

#include <charconv>
#include <string>

#include "plugin/base/digest.h"
#include "plugin/base/files.h"
#include "plugin/base/text.h"

namespace paceline::store {
namespace {

constexpr std::string_view kTitle = "paceline progress 1";
constexpr std::size_t kHexLength = 64;
// A range a line, some 30 bytes: far more ranges than a download ever has open.
constexpr std::size_t kLimit = 4U << 20U;

const std::string& boot_id() {
  static const std::string id = [] {
    const auto text = read_file("/proc/sys/kernel/random/boot_id", 256);
    return text ? std::string(trim(*text)) : std::string("unknown");
  }();
  return id;
}

bool parse_number(std::string_view text, std::uint64_t& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

}  // namespace

Status save_progress(const std::filesystem::path& path, const Progress& progress) {
  std::string text(kTitle);
  text += "\nboot " + boot_id() + "\nsize " + std::to_string(progress.size) + "\n";
  for (const auto& range : progress.written.ranges()) {
    text += "range " + std::to_string(range.first) + " " + std::to_string(range.end) + "\n";
  }
  text += sha256(text).hex() + "\n";
  return write_file_atomically(path, text, Durability::kProcessCrash);
}

std::optional<Progress> load_progress(const std::filesystem::path& path) {
  const auto text = read_file(path, kLimit);
  if (!text || text->size() < kHexLength + 1) return std::nullopt;
  const std::string_view body(text->data(), text->size() - kHexLength - 1);
  if (text->compare(body.size(), std::string::npos, sha256(body).hex() + "\n") != 0) return std::nullopt;

  const auto lines = split(body, '\n');
  if (lines.size() < 3 || lines[0] != kTitle || lines[1] != "boot " + boot_id()) return std::nullopt;
  Progress progress;
  const auto size = split(lines[2], ' ');
  if (size.size() != 2 || size[0] != "size" || !parse_number(size[1], progress.size)) return std::nullopt;
  for (std::size_t i = 3; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const auto words = split(lines[i], ' ');
    ByteRange range;
    if (words.size() != 3 || words[0] != "range" || !parse_number(words[1], range.first) ||
        !parse_number(words[2], range.end) || range.first >= range.end || range.end > progress.size) {
      return std::nullopt;
    }
    progress.written.add(range.first, range.end);
  }
  return progress;
}

}  // namespace paceline::store
