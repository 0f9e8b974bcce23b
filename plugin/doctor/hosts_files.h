// Which registries' pulls pass the daemon's mirror, by the hosts.toml files that containerd reads (certs.d). Only
// reads; any thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace paceline::doctor {

struct HostsFile {
  std::string registry;  ///< The folder's name: "_default", "docker.io".
  std::filesystem::path file;
  bool present = false;       ///< Else a folder that hides `_default` all the same.
  bool names_mirror = false;  ///< With the capabilities to pull and to resolve.
};

/// `mirror`: host:port. `_default` is always in the answer, if only as absent.
std::vector<HostsFile> find_hosts_files(const std::vector<std::filesystem::path>& folders, const std::string& mirror);

/// Whether the text of a hosts.toml has containerd ask the mirror.
bool names_mirror(const std::string& text, const std::string& mirror);

}  // namespace paceline::doctor
