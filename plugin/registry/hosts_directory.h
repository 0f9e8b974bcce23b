// The folders of per-registry settings that containerd and Docker use (certs.d): which hosts to ask for a registry, in
// which order, with which trust. Read again whenever a file changed; nothing needs a restart.
//
// Any thread; only short file reads, no network. Borrowed by every repository.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugin/registry/endpoint.h"

namespace paceline::registry {

class HostsDirectory {
 public:
  /// `roots`: looked through in order for the registry's own folder, then in order for `_default`: a `_default` (the
  /// daemon's own drop-in is one) does not hide the certificates that another root has for one registry. `own_mirror`:
  /// host:port of the daemon's loopback mirror, which is skipped where a file names it; empty: none.
  explicit HostsDirectory(std::vector<std::filesystem::path> roots, std::string own_mirror = {});

  /// For a mirror whose port is known only once it listens.
  void set_own_mirror(std::string own_mirror);

  /// Mirrors in order, then the registry itself. The error of a malformed file names file and line.
  Result<std::vector<Endpoint>> endpoints(const std::string& registry);

 private:
  struct Cached {
    std::string stamp;  // What the folder looked like when it was read.
    Result<std::vector<Endpoint>> endpoints;
  };

  [[nodiscard]] std::filesystem::path find_folder(const std::string& registry) const;

  const std::vector<std::filesystem::path> roots_;
  std::mutex mutex_;  // Guards what follows.
  std::string own_mirror_;
  std::map<std::string, Cached> cache_;
};

}  // namespace paceline::registry
