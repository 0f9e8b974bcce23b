// What of containerd's configuration matters to Paceline, from the text of `containerd config dump`. Pure, any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/result.h"

namespace paceline::doctor {

struct ProxyPlugin {
  std::string name;
  std::string type;     ///< "content", "snapshot", "diff".
  std::string address;  ///< Without "unix:" before it.
};

struct ContainerdConfig {
  std::filesystem::path root;
  std::string socket;
  std::vector<ProxyPlugin> proxies;
  bool own_content_store = true;  ///< The built-in one is not disabled.
  bool cri = false;
  std::vector<std::filesystem::path> hosts_folders;  ///< CRI's config_path; empty: CRI reads no hosts.toml.
  bool old_mirrors = false;                          ///< CRI's registry.mirrors, which exclude a config_path.

  [[nodiscard]] std::vector<ProxyPlugin> of_type(std::string_view type) const;
};

Result<ContainerdConfig> parse_containerd_config(const std::string& dump);

/// "unix:///run/x.sock" → "/run/x.sock".
std::string socket_path(std::string_view address);

/// A line of `ctr plugins ls`.
struct LoadedPlugin {
  std::string type;
  std::string name;
  bool well = false;
};
std::vector<LoadedPlugin> parse_plugins(const std::string& table);

/// 1.7.24 of "containerd github.com/containerd/containerd 1.7.24~ds1 …"; {0, 0, 0} if there is none.
struct ContainerdVersion {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned patch = 0;

  auto operator<=>(const ContainerdVersion&) const = default;
  [[nodiscard]] std::string to_string() const;
};
ContainerdVersion parse_containerd_version(const std::string& text);

}  // namespace paceline::doctor
