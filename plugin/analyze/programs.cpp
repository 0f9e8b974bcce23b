#include "plugin/analyze/programs.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "plugin/base/text.h"
#include "plugin/unpack/entry_path.h"

namespace paceline::analyze {
namespace {

// Commands have ten words and paths of six folders: this is against hostile ones.
constexpr std::size_t kMostNames = 256;
constexpr std::size_t kMostFolders = 32;

/// The words as they are, and those that a shell would make of them: `CMD make run` is "/bin/sh", "-c", "make run".
std::set<std::string_view> names_of(const StartCommand& start) {
  std::set<std::string_view> names;
  for (const std::string_view word : start.words) {
    names.insert(word);
    for (std::size_t at = 0; at < word.size() && names.size() < kMostNames;) {
      const std::size_t end = std::min(word.find_first_of(" \t\n;&|()<>\"'`=", at), word.size());
      names.insert(word.substr(at, end - at));
      at = end + 1;
    }
  }
  names.erase(std::string_view());
  return names;
}

/// What is at `path`, the symlinks that lead there first; empty: it is a folder, or nothing.
std::vector<std::uint32_t> follow(std::string_view path, const ImageTree& tree) {
  std::vector<std::uint32_t> way;
  std::uint32_t file = tree.find(unpack::clean_path(path));
  while (file != kNone && tree.files()[file].kind != EntryKind::kDirectory && way.size() <= unpack::kMaxLinks) {
    way.push_back(file);
    // "link/." is what the link leads to; of anything else, the same again.
    const std::uint32_t next = tree.find(tree.path(tree.files()[file].node) + "/.");
    if (next == file) return way;
    file = next;
  }
  return {};
}

/// As execvp() does it.
std::vector<std::uint32_t> find_program(std::string_view name, const StartCommand& start, const ImageTree& tree) {
  const auto in = [&](std::string_view folder) {
    return follow("/" + std::string(folder) + "/" + std::string(name), tree);
  };
  if (name.find('/') != std::string_view::npos) return in(name.starts_with('/') ? std::string_view() : start.folder);
  std::size_t left = kMostFolders;
  for (const auto folder : split(start.search_path, ':')) {
    if (left-- == 0) break;
    if (auto way = in(folder); !way.empty()) return way;
  }
  return {};
}

}  // namespace

std::set<std::uint32_t> find_programs(const StartCommand& start, const ImageTree& tree) {
  std::set<std::uint32_t> programs;
  for (const auto name : names_of(start)) {
    for (const std::uint32_t file : find_program(name, start, tree)) programs.insert(file);
  }
  return programs;
}

void require_owners(const std::set<std::uint32_t>& programs, const ImageTree& tree, std::vector<Package>& packages) {
  // Looking at a name first saves following half a million paths through the tree.
  std::set<std::string_view> names;
  for (const std::uint32_t file : programs) names.insert(tree.name(tree.files()[file].node));
  for (Package& package : packages) {
    for (const std::string_view path : package.paths) {
      if (!names.contains(path.substr(path.rfind('/') + 1)) || !programs.contains(tree.find(path))) continue;
      package.required = true;
      break;
    }
  }
}

}  // namespace paceline::analyze
