#include "plugin/doctor/containerd_config.h"

#include <toml++/toml.h>

#include <charconv>
#include <sstream>

#include "plugin/base/text.h"

namespace paceline::doctor {
namespace {

// CRI's table of registries, by the plugin that has it: 1.6 and 1.7, then 2.
constexpr std::string_view kCriPlugins[] = {"io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"};

std::vector<ProxyPlugin> proxies_of(const toml::table& root) {
  std::vector<ProxyPlugin> out;
  const auto* table = root["proxy_plugins"].as_table();
  if (table == nullptr) return out;
  for (const auto& [name, value] : *table) {
    const auto plugin = toml::node_view(value);
    out.push_back({std::string(name.str()), plugin["type"].value_or(std::string()),
                   socket_path(plugin["address"].value_or(std::string()))});
  }
  return out;
}

bool is_disabled(const toml::table& root, std::string_view plugin) {
  const auto* list = root["disabled_plugins"].as_array();
  if (list == nullptr) return false;
  for (const auto& entry : *list) {
    if (entry.value<std::string_view>() == plugin) return true;
  }
  return false;
}

void read_cri(const toml::table& root, ContainerdConfig& out) {
  for (const auto plugin : kCriPlugins) {
    const auto settings = root["plugins"][plugin];
    if (!settings.is_table() || is_disabled(root, plugin)) continue;
    // containerd 2 still prints an empty table under 1.x's name.
    const auto registry = settings["registry"];
    if (!registry.is_table()) continue;
    out.cri = true;
    for (const auto folder : split(registry["config_path"].value_or(std::string_view()), ':')) {
      if (!folder.empty()) out.hosts_folders.emplace_back(folder);
    }
    const auto* mirrors = registry["mirrors"].as_table();
    if (mirrors != nullptr && !mirrors->empty()) out.old_mirrors = true;
  }
}

}  // namespace

std::string socket_path(std::string_view address) {
  if (address.starts_with("unix:")) address.remove_prefix(5);
  if (address.starts_with("//")) address.remove_prefix(2);
  return std::string(address);
}

std::vector<ProxyPlugin> ContainerdConfig::of_type(std::string_view type) const {
  std::vector<ProxyPlugin> out;
  for (const auto& proxy : proxies) {
    if (proxy.type == type) out.push_back(proxy);
  }
  return out;
}

Result<ContainerdConfig> parse_containerd_config(const std::string& dump) {
  toml::table root;
  try {
    root = toml::parse(dump);
  } catch (const toml::parse_error& error) {
    return fail(Code::kInvalidArgument, "containerd config dump: " + std::string(error.description()));
  }
  ContainerdConfig out;
  out.root = root["root"].value_or(std::string("/var/lib/containerd"));
  out.socket = socket_path(root["grpc"]["address"].value_or(std::string("/run/containerd/containerd.sock")));
  out.proxies = proxies_of(root);
  out.own_content_store = !is_disabled(root, "io.containerd.content.v1.content");
  read_cri(root, out);
  return out;
}

std::vector<LoadedPlugin> parse_plugins(const std::string& table) {
  std::vector<LoadedPlugin> out;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    LoadedPlugin plugin;
    words >> plugin.type >> plugin.name;
    std::string status;
    for (std::string word; words >> word;) status = word;  // The column of platforms has blanks in it.
    if (!plugin.type.starts_with("io.containerd.")) continue;
    plugin.well = status == "ok";
    out.push_back(std::move(plugin));
  }
  return out;
}

std::string ContainerdVersion::to_string() const {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

ContainerdVersion parse_containerd_version(const std::string& text) {
  for (auto word : split(text, ' ')) {
    if (word.starts_with("v")) word.remove_prefix(1);
    ContainerdVersion out;
    unsigned* const parts[] = {&out.major, &out.minor, &out.patch};
    const char* at = word.data();
    const char* const end = word.data() + word.size();
    std::size_t found = 0;
    for (; found < std::size(parts); ++found) {
      const auto [next, error] = std::from_chars(at, end, *parts[found]);
      if (error != std::errc()) break;
      at = next;
      if (found < 2 && (at == end || *at++ != '.')) break;
    }
    if (found == std::size(parts)) return out;
  }
  return {};
}

}  // namespace paceline::doctor
