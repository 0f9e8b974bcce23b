#include "plugin/doctor/hosts_files.h"

#include <toml++/toml.h>

#include <algorithm>
#include <system_error>

#include "plugin/base/files.h"

namespace paceline::doctor {
namespace {

namespace fs = std::filesystem;

HostsFile look_at(const fs::path& folder, const std::string& mirror) {
  HostsFile out{folder.filename(), folder / "hosts.toml"};
  if (const auto text = read_file(out.file)) {
    out.present = true;
    out.names_mirror = names_mirror(*text, mirror);
  }
  return out;
}

}  // namespace

bool names_mirror(const std::string& text, const std::string& mirror) {
  toml::table root;
  try {
    root = toml::parse(text);
  } catch (const toml::parse_error&) {
    return false;
  }
  const auto host = root["host"]["http://" + mirror];
  if (!host.is_table()) return false;
  const auto* capabilities = host["capabilities"].as_array();
  if (capabilities == nullptr) return true;
  const auto can = [&](std::string_view word) {
    return std::any_of(capabilities->begin(), capabilities->end(),
                       [&](const toml::node& node) { return node.value<std::string_view>() == word; });
  };
  return can("pull") && can("resolve");
}

std::vector<HostsFile> find_hosts_files(const std::vector<fs::path>& folders, const std::string& mirror) {
  std::vector<HostsFile> out;
  for (const auto& folder : folders) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      // Of two folders of one name containerd takes the first.
      const bool seen = std::any_of(out.begin(), out.end(),
                                    [&](const HostsFile& file) { return file.registry == entry.path().filename(); });
      if (!seen && entry.is_directory(error)) out.push_back(look_at(entry.path(), mirror));
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.registry < b.registry; });
  const auto fallback = std::find_if(out.begin(), out.end(), [](const auto& f) { return f.registry == "_default"; });
  if (fallback != out.end()) {
    std::rotate(out.begin(), fallback, fallback + 1);
  } else if (!folders.empty()) {
    out.insert(out.begin(), HostsFile{"_default", folders.back() / "_default" / "hosts.toml"});
  }
  return out;
}

}  // namespace paceline::doctor
